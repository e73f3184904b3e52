"""Correct the spelling of imaging reports: misspelt words of the field, and the short forms of sides."""

import difflib
import re
from functools import lru_cache

CLOSEST = 0.86
"""Least similarity (difflib) of a misspelt word to the word that it stands for. Ours: "protruion" and "hyperatrophy" pass."""
LEAD = 0.03
"""How much closer it must be to that word than to any other: "spondylo…" alone is not guessed."""


def correct_spelling(text: str) -> str:
    """Replace misspelt words of the field by their right spelling, "Lt" by "left" and "Rt" by "right"; all else stays.

    A word is replaced only if it is no known word, begins like exactly one word of the field and is very close to it, or if
    two of its neighbouring letters were exchanged ("teh"). Words that differ from their opposite by a letter or two
    ("hypointense") are never guessed.
    """
    text = re.sub(r"(?<![A-Za-z])([lr])t\.?(?![A-Za-z])", lambda match: _SIDES[match[1].lower()], text, flags=re.IGNORECASE)
    return re.sub(r"(?<![A-Za-z\[])[A-Za-z]{3,}(?![A-Za-z]|[ \d]*\])", lambda match: _correct(match[0]), text)


def _correct(word: str) -> str:
    right = _right_spelling(word.lower())
    if right == word.lower():
        return word
    return right.capitalize() if word[0].isupper() else right


@lru_cache(maxsize=4096)
def _right_spelling(word: str) -> str:
    if word in _FIELD or word in _KNOWN:
        return word
    for n in range(len(word) - 1):
        if (exchanged := word[:n] + word[n + 1] + word[n] + word[n + 2 :]) in _FIELD:
            return exchanged
    if len(word) < 5:
        return word
    alike = [other for other in _FIELD if other[0] == word[0] and abs(len(other) - len(word)) <= 2]
    close = difflib.get_close_matches(word, alike, n=2, cutoff=CLOSEST)
    if not close:
        return word
    ratios = [difflib.SequenceMatcher(None, other, word).ratio() for other in close]
    is_plain = len(close) == 1 or ratios[0] - ratios[1] > LEAD or close[0][:4] == close[1][:4]  # "mild", "mildly"
    return close[0] if is_plain else word


_SIDES = {"l": "left", "r": "right"}
_FIELD = frozenset(
    """
    abnormal abscess abutting adequate alignment and annular annulus anterolisthesis appeared arachnoid associated axial
    bilateral bodies body bone both bulge bulges bulging canal canals cauda caudal caudally central cervical changes
    collapse collection compressed compressing compression conus convex convexity cord correlate cyst cysts decreased
    deformity degenerated degeneration degenerative dehydrated dehydration desiccated desiccating desiccation diffuse
    diffusely disc discitis discs disk disks edema encroaching encroachment end-plate endplate endplates epidural equina
    evidence exit exiting extending extraforaminal extruded extrusion facet facets feature features flavum focal foramen
    foramina foraminae foraminal fracture fractures grade granulation haemangioma hemangioma hemangiomas herniated
    herniation hypertrophy impingement impinging indentation indenting infection infective joint joints kyphosis largely
    lateral left level levels ligament ligaments ligamentum limbus lipoma listhesis lordosis lumbar lumbosacral mainly
    marked markedly marrow material materials migrated migrating migration mild mildly minimal moderate moderately modic
    multilevel multiple muscle muscles narrow narrowed narrowing nerve nerves neural neurogenic node nodes nodule
    nodules normal notably noted noticeably obliterating oedema osteophyte osteophytes osteoporotic paracentral
    paramedian partial partially pathological plate plates posterior posteriorly posterolateral previous probable
    probably protruded protruding protrusion protrusions recess recesses reduced relatively retrolisthesis right root
    roots sac sacral schmorl schmorls scoliosis secondary seen sequestered sequestrated sequestration sequestrum severe
    severely side sided signal significant significantly slight slightly small space spaces spasm spinal spine
    spondylitis spondylodiscitis spondylolisthesis spondylolysis spondylosis stenosis straightening subarticular
    subluxation suggestive surgery tarlov the thecal thickening thoracic traversing tumor tumour vertebra vertebrae
    vertebral wedge wedging with within
    """.split()  # noqa: SIM905 (a list of words to read, one a line would be two hundred lines)
)
"""Words that imaging reports of the spine are made of, rightly spelt."""
_KNOWN = frozenset(
    """
    abscesses actual additional anterior appear arterial artery atrophic atrophy cardinal central compassion conform
    cortex costal dissecting dissection distal dorsal dural exact exist extent extradural fissure foreign formation
    fraction hernia hyperintense hyperintensity hyperplasia hypertension hypointense hypointensity hypoplasia
    hypotension infarction infraction instability intensities intensity interior internal intradural ligation lordotic
    lymphoma marginal metastases metastasis minimum minor multiplanar myeloma neutral noticeable noticed osteoma
    osteopenia osteopenic pedicle pedicles pelvis peripheral plated posteriors posture presence present preserved
    pressure protective recessed reduction respect safe sagittal sclerosis sclerotic scolex several significance signs
    site sites spinous stable structure structures studied study transverse trauma traumatic traverse upper uterus
    vessel vessels void
    """.split()  # noqa: SIM905
)
"""Other words that such reports hold and that must not be taken for misspelt ones."""
