"""The words of imaging reports, English and Chinese: what each stands for when a report is read (text_findings.py).

A report is cut into tokens by ``tokenize``: levels first (levels/), then the phrases below, longest meaning first. What is left
over belongs to no phrase: such words are unread, and a sentence that holds one is not understood.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dataset_builders.levels import find_levels

FINDING_WORDS = {
    "postoperative": r"(?:granulation|scar|post-?\s?operative|post-?\s?surgical|enhancing fibrosis|fibrosis|laminectomy|discectomy|"
    r"status post|s/p|(?:previous|prior|old|past) (?:\w+ )?(?:surgery|operations?|fusion)|operations?|operated|transpedicle|pedicle screws?|"
    r"fixation|implants?|instrumentation|fusion (?:surgery|procedure|cage)|cage|surgery|"
    r"corpectomy|vertebroplasty|kyphoplasty|cemented)\b|术后|手术史|内固定|椎板切除|融合术|骨水泥|肉芽",
    "tumour": r"(?:metasta\w+|(?:neurogenic |primary |nerve sheath )?tumou?rs?|neoplas\w+|malignan\w+|myeloma|plasmacytoma|lymphoma|"
    r"schwannomas?|meningiomas?|neurofibromas?|neurinomas?|ependymomas?|astrocytomas?|chordomas?|"
    r"(?:secondary )?deposits?|(?:soft tissue |space.?occupying |lytic |destructive |osteolytic |sclerotic |mass |focal )+(?:mass|lesions?|"
    r"component)|mass(?:es)?|bone destruction|"
    r"(?:vertebral |bony |cortical )destruction)\b|转移瘤?|肿瘤|占位(?:性病变)?|骨质破坏|恶性|骨髓瘤|淋巴瘤|神经鞘瘤|脊膜瘤|室管膜瘤|肿块",
    "epidural_collection": r"(?:epi|extra|sub)dural (?:fluid )?(?:collections?|ha?ematomas?|effusion)\b|硬膜外(?:积液|血肿)|硬膜下血肿",
    "infection": r"(?:infective |infectious |septic |pyogenic |tuberculous )*(?:spondylo-?disc?itis|disc?itis|osteomyelitis|"
    r"(?:(?:epidural|extradural|paraspinal|paravertebral|psoas|cold|prevertebral) )*abscess(?:es)?|tubercul\w+|pott'?s (?:disease|spine)|infections?|"
    r"infective(?: \w+)?(?= (?:process|lesion|change))|septic arthritis|empyema)\b|"
    r"椎间盘炎|化脓性?脊柱炎|骨髓炎|脓肿|结核|感染(?:性病变)?",
    "cord_signal_change": r"(?:(?:spinal )?cord (?:signal (?:change|abnormality|alteration)s?|(?:o?edema|contusion|myelopathy|infarct\w*|"
    r"hyperintensity|hyperintense signal|signal hyperintensity|injury))|"
    r"(?:myelopath(?:y|ic)(?: (?:signal )?changes?)?|myelomalacia|myelitis|syrinx|syringomyelia|syringohydromyelia)|"
    r"intramedullary (?:signal \w+|hyperintensity|hyperintense signal|lesions?|high signal|t2 (?:hyperintensity|signal))|"
    r"(?:abnormal|altered|hyperintense|high|increased)(?: t2)?(?: \w+)? (?:signals?|intensity)(?: intensity)? (?:within|in|of|involving) the (?:\w+ )?"
    r"(?:spinal )?cord|hyperintensity (?:within|in|of) the (?:\w+ )?(?:spinal )?cord)\b|脊髓(?:信号异常|变性|水肿|软化|空洞|内.{0,6}(?:高信号|异常信号)|损伤)|"
    r"脊髓病",
    "pathological_fracture": r"(?:pathologic(?:al)? (?:\w+ ){0,2}fractures?)\b|病理性(?:压缩)?骨折",
    "wedge_fracture": r"(?:(?:(?:old|recent|acute|chronic|healed|osteoporotic|mild|moderate|severe|anterior) )*"
    r"(?:wedg(?:e|ing|ed)|compression|insufficiency|osteoporotic|vertebral collapse|collapse)(?: compression)?(?: type)?[ -](?:fractures?)|"
    r"(?:mild |moderate |severe |partial |anterior )*(?:wedging|wedge (?:deformit(?:y|ies)|collapse|compression)|vertebral collapse|"
    r"collapsed? (?:of )?(?:the )?(?:vertebra\w*(?: bod(?:y|ies))?)))\b|"
    r"(?:陈旧性|新鲜|轻度|骨质疏松性)*(?:椎体)?(?:楔形)?压缩(?:性)?骨折|(?:椎体)?楔形(?:变|改变|压缩)|椎体压缩",
    "fracture": r"(?:(?:old|recent|acute|healed|burst|transverse|stress|pars|comminuted|chance|non-?displaced|displaced|spinous process|"
    r"transverse process) )*(?:fractur(?:es?|ed)|fracture.dislocations?)\b|burst(?= (?:of|at|l\d|t\d))|(?:爆裂(?:性)?|粉碎性|陈旧性)*骨折",
    "marrow_oedema": r"(?:(?:bone )?marrow|osseous|bony|vertebral body|vertebral|endplate|end plate) o?edema(?:tous)?(?: changes?)?\b|骨髓水肿",
    "marrow_signal_change": r"(?:(?:diffuse(?:ly)?|generali[sz]ed|relatively|patchy|heterogeneous|diffuse and) )*(?:decreased|reduced|altered|abnormal|"
    r"low|hypointense|heterogeneous|increased)(?: (?:t1|t2))? (?:signals?(?: intensit(?:y|ies))?(?: alteration)? (?:of|in|within) (?:the )?(?:vertebral )?(?:bone )?"
    r"marrow|(?:vertebral )?(?:bone )?marrow signals?(?: intensit(?:y|ies))?)\b|(?:diffuse )?(?:bone )?marrow (?:signal )?(?:reconversion|"
    r"infiltration|replacement)\b|骨髓信号(?:弥漫性)?(?:异常|减低|降低|改变)",
    "modic_change": r"(?:mod[ie]c)(?: changes?)?(?: (?:type|grade))?(?: (?P<modic>i{1,3}|[123]))?(?: type)?(?: (?:end.?plates?|signal|"
    r"degenerative|marrow))*(?: changes?)?\b|modic ?(?P<modic_zh>[ⅠⅡⅢ123]|i{1,3}) ?型?(?:改变)?",
    "endplate_change": r"(?P<schmorl>schmorl'?s?'? ?(?:nodes?|nodules?|herniation)?)\b|(?:degenerative )?(?:irregular )?end.?plates?(?:'s)?"
    r"(?: degenerati(?:on|ve))?(?: spondylotic)?(?: (?:changes?|irregularit(?:y|ies)|defects?|sclerosis|erosions?))?\b"
    r"(?! osteophyt)|许莫氏?结节|施莫尔?氏?结节|终板(?:炎|改变|损伤|退变|变性|不规则)",
    "annular_tear": r"(?:annular|annulus) (?:fissures?|tears?|rupture)|torn annul\w+|(?:tear|fissure) of the annulus(?: fibrosus)?|"
    r"high.intensity zone|hyperintense (?:signal )?within the annulus(?: fibrosus)?|纤维环(?:撕裂|破裂|裂隙)",
    "disc_narrowing": r"(?:(?:mild|moderate|severe|marked|markedly|mildly|moderately|severely) )*(?:(?:narrow(?:ed|ing)?|reduc(?:ed|tion)|decreased?|los[st]|loss|diminished)(?: of| in)?(?: the)? "
    r"(?:intervertebral )?(?:disc|disk)s?(?: spaces?| heights?)+|(?:intervertebral )?(?:disc|disk) (?:space|height)s? (?:is |are )?(?:narrow\w*|reduc\w+|loss|"
    r"decreased?))\b|椎间隙(?:变窄|狭窄)",
    "disc_degeneration": r"(?:(?:partial(?:ly)?|early|mild|moderate|severe) )*(?:d[ei]s+[ei]c+[aie]*t\w+|dehydrat\w+|degenerat(?:ed|ion of the)|degenerative|dried)"
    r"(?: (?:lumbar|cervical|intervertebral))?(?: d?is[ck]s?(?:al)?)(?: materials?)?(?: diseases?)?(?! (?:bulg|protru|herni|osteo))\b|"
    r"(?:disc|disk)s?(?:al)? (?:degenerati(?:on|ve(?: changes?| disease)?)|desiccation|dehydration)\b|d[ei]s+[ei]c+[aie]*t\w+|dehydrat(?:ed|ion)|"
    r"(?:椎间盘|间盘)(?:退行性变|退行性改变|退变|变性|脱水)|(?P<pfirrmann>pfirrmann(?: grade)? (?P<pfirrmann_grade>i{1,3}v?|iv|v|[1-5]))",
    "disc_herniation": r"(?P<sequester>(?:(?:disc|disk) )?(?:sequest\w+)(?: (?:disc|disk|fragment))*)\b|"
    r"(?P<extrusion>(?:(?:disc|disk) )?(?:extru(?:sions?|ded))(?: (?:disc|disk))?)\b|"
    r"(?P<protrusion>(?:(?:disc|disk)s? )?(?:protru(?:sions?|ded|ding|des))(?: (?:disc|disk)s?)?)\b|"
    r"(?:(?:disc|disk)s? )?(?:herniat(?:ions?|ed)|prolapsed?)(?: (?:disc|disk)s?)?\b|"
    r"(?P<extrusion_zh>(?:椎间盘|间盘)?脱出)|(?P<sequester_zh>(?:髓核|椎间盘)?游离)|(?:椎间盘|间盘|髓核)?突出",
    "disc_bulge": r"(?:(?:diffuse|generali[sz]ed|circumferential|symmetrical|wide.?based?|broad.?based|focal|annular|annulus|degenerative) )*(?:(?:disc|disk)s? )?(?:annular )?bulg(?:es?|ing|ed)"
    r"(?: of (?:the )?(?:intervertebral )?(?:disc|disk)s?)?(?: (?:disc|disk)s?)?\b|(?:椎间盘|间盘)?(?:轻度|弥漫性?|向四周)*膨出",
    "spondylolisthesis": r"(?:grade (?P<slip>i{1,3}v?|iv|v|[1-5]) )?(?:degenerative |isthmic |lytic |spondylolytic )*(?:(?:spondylo|antero)-?\s?listhesis|(?P<retro>retro-?\s?listhesis))"
    r"(?: (?:of )?(?:meyerding )?grade (?P<slip_after>i{1,3}v?|iv|v|[1-5]))?\b|(?:forward|anterior|posterior) (?:slip|slippage|displacement of (?=[lct]\d))|"
    r"椎体(?:向?[前后]?移位)?(?:(?P<slip_zh>[ⅠⅡⅢⅣⅤ1-5]|i{1,3}v?) ?度)?(?:向?[前后])?滑脱|(?:[ⅠⅡⅢⅣ] ?度)?滑脱",
    "spondylolysis": r"(?:spondylolysis|(?:bilateral )?pars (?:interarticularis )?defects?)\b|峡部裂",
    "canal_stenosis": r"(?:(?:spinal|central|lumbar|cervical|secondary|vertebral|bony|thoracic) )*canal (?:stenosis|narrowing)\b|"
    r"(?:(?:spinal|central|lumbar) )?(?:canal|spine) (?:(?:is|appear(?:s|ed)) )?narrow(?:ed)?\b|narrow(?:ed|ing)?(?: of)?(?: the)? (?:(?:spinal|central|lumbar) )+canal\b|"
    r"(?:spinal|central) stenosis\b|(?:继发性?)?椎管(?:明显|轻度|重度|中度)?(?:变窄|狭窄)",
    "foraminal_narrowing": r"(?:(?:neural|intervertebral|exit) )*foramin\w* (?:stenosis|narrowing|encroachment)\b|椎间孔(?:变窄|狭窄)",
    "subarticular_stenosis": r"(?:lateral recess|subarticular)(?:es)? (?:stenosis|narrowing)\b|侧隐窝(?:变窄|狭窄)",
    "ligamentum_flavum_hypertrophy": r"(?:(?:ligament(?:um|s)?|ligamenta)(?: flav(?:um|a))? (?:hypertroph(?:y|ied)|thickening|thickened)|(?:hypertroph(?:y|ied)|thickening) of (?:the )?"
    r"ligament(?:um|a) flav(?:um|a))\b|黄韧带(?:肥厚|增厚)",
    "facet_hypertrophy": r"(?:facet|zygapophyseal|facetal|facets)(?: joints?)?(?:'s)? (?:hypertroph(?:y|ied|ic)(?: changes?)?|arthropath(?:y|ies)|arthrosis|osteoarthritis|osteoarthrosis|"
    r"degeneration|degenerative changes?)\b|hypertroph(?:y|ied) of (?:the )?facet joints?|facet hypertroph\w+|(?:关节突|小关节)(?:关节)?(?:增生(?:肥大)?|肥大|退变|退行性变)",
    "osteophytes": r"(?:(?:anterior|posterior|marginal|end.?plate|disco-?) )*(?:osteophyt\w+(?: formations?| complex(?:es)?)?)\b|(?:degenerative )?spondylotic changes\b|"
    r"lumbar spondylosis|cervical spondylosis|骨赘(?:形成)?|(?:骨质|椎体(?:缘|边缘)?)增生|骨刺(?:形成)?",
    "haemangioma": r"(?:vertebral (?:bod(?:y|ies) )?)?ha?emangiomas?\b|血管瘤",
    "synovial_cyst": r"(?:synovial|facet|facet joint|juxta-?facet) cysts?\b|滑膜囊肿",
    "perineural_cyst": r"(?:(?:perineural|tarlov'?s?|tarlov) )+cysts?\b|(?:神经根|神经周围|骶管)囊肿|tarlov ?囊肿",
    "scoliosis": r"(?:levo|dextro|rotatory |rotator |degenerative |mild |moderate |severe )*scoliosis\b|脊?柱?(?:轻度)?侧[弯凸]",
    "straightened_curve": r"straighten(?:ing|ed)(?: of)?(?: the)?(?: (?:normal|physiological))?(?: (?:lumbar|cervical|spinal))?(?: (?:lordo(?:sis|tic curve)|curv(?:e|ature)|spine))?\b|"
    r"(?:loss|reversal) of (?:the )?(?:normal |physiological )?(?:lumbar |cervical )?lordosis\b|(?:生理)?(?:曲度|前凸)(?:变直|消失|减小)",
    "dislocation": r"(?:sublux\w+|dislocat\w+|(?:segmental |spinal )?instability)\b|半?脱位|节段性?不稳",
    "abnormality": r"(?:(?:other|focal|significant|signal|gross|abnormal|bony|osseous|congenital) )*(?:abnormalit(?:y|ies)|lesions?|pathology|cysts?)\b|"
    r"abnormal (?:signal|enhancement|collection)s?(?: intensit\w+)?\b|异常(?:信号|强化)?",
    "muscle_spasm": r"(?:features? of )?(?:mus?c?le|m\.?|paraspinal)(?: muscle)? ?spasms?\b|肌肉痉挛",
}
"""Findings by the words that name them. Not of taxonomy.FINDINGS: "postoperative" is a state, and "abnormality" can be denied only."""

_STRUCTURES = {
    "cauda_equina": r"cauda equina(?: nerve roots)?|马尾(?:神经)?",
    "conus": r"conus(?: medullaris)?|脊髓圆锥",
    "cord": r"(?:spinal |cervical |thoracic )?cord|脊髓",
    "thecal_sac": r"(?:anterior |ventral |posterior )?(?:aspect of (?:the )?)?thecal(?: sac)?|dural (?:sac|tube)|dura|硬膜囊|硬脊膜囊?",
    "csf_space": r"(?:(?:anterior|posterior|ventral) )*(?:csf|subarachnoid) spaces?|蛛网膜下腔",
    "lateral_recess": r"lateral recess(?:es)?|侧隐窝",
    "foramen": r"(?:(?:neural|exit(?:ing)?|intervertebral|nerve) )*(?:foram(?:en|ina|inae)|exit(?:ing)? (?:neural |nerve )*canals?|neural canals?|neural exit canals?)|"
    r"exit canals?|(?:神经孔|椎间孔)",
    "exiting_root": r"exit(?:ing)? nerves?(?: roots?)?|exit(?:ing)? (?:neural )?roots?|出口(?:神经)?根",
    "traversing_root": r"(?:traversing|descending) (?:nerve )?roots?|行走(?:神经)?根",
    "nerve_root": r"(?:spinal )?(?:nerve )?roots?|nerves|神经根",
    "canal": r"(?:spinal|central|vertebral|lumbar)? ?canals?|椎管",
}
_CONTACTS = {
    "compresses": r"compress\w*|comparison(?= (?:of )?(?:the )?thecal)|indent\w*|imping\w+|deform\w+|flatten\w*|push\w+|displac(?:ing|es)|"
    r"压迫|受压|推压|压扁",
    "enters": r"retro-?(?:bulg|puls)\w+(?: of (?:a )?(?:bony? )?fragments?)?|突入",
    "narrows": r"encroach\w*|narrow(?:s|ing|ed)?|obliterat\w+|effac\w+|stenosis|occlud\w+|变窄|狭窄|占据",
    "touches": r"abut\w*|contact\w*|touch\w*|接触|毗邻",
}
_NEGATED = (
    r"no\b(?! change)|not (?!excluded|seen|identified|noted|evident|present|visuali[sz]ed|detected)|without|absence of|negative for|nor\b|"
    r"(?:free|devoid) of|never|no evidence of|未见|无明显|无|未发现|未(?=[压累及])|没有|否认|不伴"
)
_NEGATED_AFTER = (
    r"(?:is|are|was|were) (?:not (?:seen|identified|noted|evident|present|visuali[sz]ed|detected)|absent|excluded|ruled out)|"
    r"not (?:seen|identified|noted|evident|visuali[sz]ed|detected)|(?:已)?排除(?!.)|不存在|阴性"
)
_NOT_EXCLUDED_BEFORE = (
    r"(?:can(?:not|'t| not)|could not|unable to) (?:be )?(?:exclude|rule out)|(?:to )?(?:rule out|exclude)|r/o|needs? exclusion of|不(?:能)?(?:除外|排除)(?=.)|(?:以|需|待|请|建议)(?:除外|排除)|需?除外"
)
_NOT_EXCLUDED_AFTER = (
    r"(?:can(?:not|'t| not)|could not|(?:is|are) not|not) (?:be )?(?:totally |entirely |fully |definitely )?(?:excluded|ruled out)|(?:待|不能?)(?:除外|排除)(?![一-鿿])|待排(?:除|查)?|待除外"
)
_PROBABLE = (
    r"probabl[ey]|likely|mostly|presumabl[ey]|suggest(?:ive|s|ing)?(?: of)?|suggesting|consistent with|in keeping with|compatible with|believed to be|favou?rs?|apparently|"
    r"(?:most )?likely represents?|考虑(?:为)?|提示|符合|倾向"
)
_POSSIBLE = (
    r"possib(?:le|ly)|may(?: be| represent)?|might(?: be| represent)?|could (?:be|represent)|suspected|suspicio(?:us|n)(?: (?:of|for))?|query|questionable|equivocal|doubtful|\?+|？|可能|可疑|疑似?|"
    r"或许"
)
_SIDES = {
    "left": r"left(?:.sided?)?|左侧?",
    "right": r"right(?:.sided?)?|右侧?",
    "bilateral": r"bilateral(?:ly)?|both(?: sides)?|双侧|两侧",
}
_SITES = {
    "extraforaminal": r"extra-?\s?foraminal|far.lateral|椎间孔外(?:型)?|极外侧(?:型)?",
    "paracentral": r"para-?\s?(?:central|median)|postero-?\s?lateral|旁中央(?:型)?|后外侧(?:型)?|(?<=[左右])后(?:方)?",
    "subarticular": r"subarticular|(?:extend(?:ing|s|ed) (?:to|into) (?:the )?(?:both )?lateral recess(?:es)?)|侧隐窝型",
    "foraminal": r"(?:neuro|intra)?foraminal|(?:into|within|in|at) (?:the )?(?:neural |exit )?foram(?:en|ina)|椎间孔型",
    "central": r"(?:postero?i?o?r?-?\s?)?central(?:ly)?|midline|中央(?:型)?|正中",
}
_DEGREES = {
    "broad": r"(?:wide|broad)[ -]?based?|广基底?",
    "small": r"small|tiny|minute",
    "large": r"large|huge|massive|big|巨大",
    "mild": r"mild(?:ly)?|slight(?:ly)?|minimal(?:ly)?|minor|轻度|轻微|稍|略",
    "moderate": r"moderate(?:ly)?|中度|中等",
    "severe": r"severe(?:ly)?|marked(?:ly)?|largely|significant(?:ly)?|critical(?:ly)?|gross(?:ly)?|advanced|重度|明显|显著|严重",
}
_ENDS = r"\b(?:but|however|although|though|except(?: for)?|apart from|other than|aside from|yet|still|nevertheless)\b|但|然而|除.{0,12}外"
_MANY = r"multi-?\s?levels?|multiple(?: levels?)?|several(?: levels?)?|els?e?where|other levels|at all levels|lower levels?|多发|多节段|多个节段|多个|其余(?:节段)?"
_SIZE = r"(?:(?:about|approximately|up to|by|measuring|of) )*(?P<value>\d+(?:\.\d+)?) ?(?P<unit>mm|cm|毫米|厘米)\b"
_JOIN = r"\b(?:with|associated with|accompanied by|along with|together with|on top of|as well as|due to|causing|leading to|resulting in|secondary to|all leading|leading|and|or)\b|伴有?|并|合并|及|和|与|或"
_MARKS = r"[,，、&/;；\-–+]"
_FILLER = (
    r"\b(?:there|is|are|was|were|be|been|a|an|the|of|at|in|on|upon|into|to|by|over|as|for|from|its|this|these|that|which|it|also|again|same|also|all|both|"
    r"notes?|noted|seen|shown|shows?|identified|demonstrated|demonstrates?|revealed|reveals?|appear(?:s|ed|ing)?|evidence|evident|present|visuali[sz]ed|found|finding|"
    r"features?|signs?|changes?|levels?|region|area|aspect|side|sided|anterior|posterior|posteriorly|posterolaterally|ventral|dorsal|"
    r"mainly|noticeably|notably|especially|particularly|predominantly|more|most|greater|than|towards?|toward|extending|extends?|extension|extended|involving|involves?|"
    r"relatively|relative|secondary|partially|partial|diffuse(?:ly)?|focal|degenerative|"
    r"lumbar|lumbo-?sacral|cervical|thoracic|dorsal|sacral|[lcd](?:\.|-)? ?spine|spine|spinal|lss|mri|ct|x-?rays?|radiographs?|scan|study|"
    r"discs?|disks?|discal|disc spaces?|spaces?|materials?|vertebral?|vertebrae|bod(?:y|ies)|bone|bony|intervertebral|joints?|"
    r"any|other|definite|obvious|gross|well|case|consequent(?:ly)?|subsequent(?:ly)?|resultant|associated|component|adjacent|respective(?:ly)?|"
    r"convex(?:ity)?|curve|curvature|origin|including|especially|sac|nb|n\.b|caused?|seems?|compared|and|or|with|who|has|have|can|still|lt|rt)\b|"
    r"椎间盘|椎体|节段|水平|可见|见|示|显示|所见|呈|为|是|的|处|于|在|向|后方?|前方?|方向?|致|导致|引起|相应|局部|部分|"
    r"腰椎|颈椎|胸椎|腰骶椎|骶椎|脊柱|脊椎|各|诸|之|以|为著|著|为主|较|同|有|其|间盘|继发性?|退行性|改变|信号|影|及|和|与|缘|边缘|形成|部位|区|ct|mri|t2wi|t1wi"
)
_MIGRATED = r"(?:(?:slight(?:ly)?|partially|relatively|upwards?|downwards?|caudal(?:ly)?|cranial(?:ly)?|cephalad|inferior(?:ly)?|superior(?:ly)?|mild) )*(?:migrat\w+)(?: (?:caudal(?:ly)?|cranial(?:ly)?|upwards?|downwards?|inferiorly|superiorly))?|(?:caudal|cranial)ly|(?:向[上下])(?:移位|游走)|移位"
_NORMAL = r"\b(?:normal(?:ly)?|adequate(?:ly)?|preserved|intact|unremarkable|maintained|within normal limits|patent|clear)\b|正常|良好|存在|完整|通畅|自然|规则|未见异常|清晰"
NORMAL = re.compile(_NORMAL, re.IGNORECASE)
"""Words by which a sentence says that all is well."""

_ADVISED = (
    r"(?:[?,;.\-–]|however|so|hence|and)*\s*(?:(?:for|please|kindly|to|needs?|advise[ds]?|recommend(?:ed)?|suggest(?:ed)?) )*"
    r"(?:correlat\w+ (?:with |clinically|to )[\w\s/.\-]*|(?:clinical|clinico-?radiological|laboratory) correlation[\w\s]*|"
    r"(?:further|contrast|follow.?up|post.?contrast|repeat|gadolinium|ct|mri|bone|isotope|dexa|biopsy|enhanced|urgent)(?: [\w/]+){0,6} (?:is|are|was) (?:recommended|advised|suggested|needed|advisable|indicated|mandatory)|"
    r"(?:advise[ds]?|recommend(?:ed)?|suggest(?:ed)?) (?:further|contrast|follow.?up|ct|mri|bone|isotope|biopsy|enhanced|clinical|urgent)[\w\s/\-]*)"
    r"\s*\?*|(?:建议|请)(?:结合|进一步|行|复查|随访|增强|临床|完善)[^，。；]*"
)
ADVISED = re.compile(_ADVISED, re.IGNORECASE)
"""What a report asks to be done: "correlate with bone isotope scan", "contrast study is recommended"."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a sentence.

    kind    "level", "root", "finding", "structure", "contact", "side", "site", "degree", "negated", "negated_after",
            "not_excluded", "not_excluded_after", "probable", "possible", "end", "many", "size", "join", "migrated", "filler".
    value   what it stands for ("disc_bulge", "L4/L5", "left"); a finding's grade follows in ``grade``.
    """

    kind: str
    value: str
    text: str
    grade: str | None = None


def _either(words: dict[str, str], prefix: str) -> str:
    return "|".join(f"(?P<{prefix}_{name}>{_whole(pattern)})" for name, pattern in words.items())


def _whole(pattern: str) -> str:
    """Make the Latin words of a pattern whole ones: nothing Latin before or after."""
    return rf"(?<![a-z])(?:{pattern})(?![a-z])"


_TOKEN = re.compile(
    "|".join(
        (
            rf"(?P<level>⟦\d+⟧)",
            _either({"not_excluded_after": _NOT_EXCLUDED_AFTER, "not_excluded": _NOT_EXCLUDED_BEFORE, "negated_after": _NEGATED_AFTER}, "cue"),
            _either(FINDING_WORDS, "finding"),
            _either({"negated": _NEGATED, "probable": _PROBABLE, "possible": _POSSIBLE, "end": _ENDS}, "cue"),
            _either(_SITES, "site"),
            _either({"migrated": _MIGRATED, "many": _MANY, "size": _SIZE}, "other"),
            _either(_STRUCTURES, "structure"),
            _either(_CONTACTS, "contact"),
            _either(_SIDES, "side"),
            _either(_DEGREES, "degree"),
            _either({"join": _JOIN, "filler": _FILLER}, "other"),
            rf"(?P<mark>{_MARKS})|(?P<stop>[.。:：()（）\"“”'’*!])",
            r"(?P<space>\s+)",
            r"(?P<unread>[a-z]+|\d+(?:\.\d+)?|.)",
        )
    ),
    re.IGNORECASE,
)
AS_TOLD = ("fracture", "wedge_fracture", "pathological_fracture", "tumour", "infection", "epidural_collection", "cord_signal_change", "dislocation")
"""Findings whose grade is the report's own word for them ("osteoporotic compression fracture", "discitis")."""
_GRADE_GROUPS = ("modic", "modic_zh", "pfirrmann_grade", "slip", "slip_after", "slip_zh")
_KIND_GROUPS = ("schmorl", "sequester", "sequester_zh", "extrusion", "extrusion_zh", "protrusion")
_GRADE_OF_KIND = {"schmorl": "Schmorl's node", "sequester": "sequestration", "extrusion": "extrusion", "protrusion": "protrusion"}


def tokenize(sentence: str) -> Iterator[Token]:
    """Cut a sentence, rightly spelt, into tokens; white space is left out."""
    spans = find_levels(sentence)
    text = sentence.lower()
    for number, span in reversed(list(enumerate(spans))):
        text = text[: span.start] + f"⟦{number}⟧" + text[span.end :]
    for match in _TOKEN.finditer(text):
        said = match[0]
        if match["space"]:
            continue
        if match["level"]:
            span = spans[int(said[1:-1])]
            yield Token("root" if span.kind == "nerve_root" else "level", ",".join(span.names), said)
        elif match["mark"] or match["stop"]:
            yield Token("join" if match["mark"] else "filler", said, said)
        elif match["unread"]:
            yield Token("unread", said, said)
        else:
            name = next(key for key, value in match.groupdict().items() if value and key.startswith(_PREFIXES))
            prefix, _, value = name.partition("_")
            yield Token(value if prefix in ("cue", "other") else prefix, value, said, _grade(match, value))


_PREFIXES = ("cue_", "finding_", "site_", "structure_", "contact_", "side_", "degree_", "other_")


def _grade(match: re.Match[str], finding: str) -> str | None:
    if finding in AS_TOLD:
        return re.sub(r"fractures?\b|fractured", "fracture", match[0])
    for group in _KIND_GROUPS:
        if match[group]:
            return _GRADE_OF_KIND[group.removesuffix("_zh")]
    if finding == "disc_bulge":
        return next((word for key, word in _BULGES.items() if key in match[0]), None)
    step = next((match[group] for group in _GRADE_GROUPS if match[group]), None)
    if step is None:
        return "retrolisthesis" if match["retro"] else None
    roman = _ROMAN.get(step.lower(), step.upper())
    if match["retro"]:
        return f"retrolisthesis Meyerding {roman}"
    return {"modic_change": "Modic {}", "spondylolisthesis": "Meyerding {}", "disc_degeneration": "Pfirrmann {}"}[finding].format(
        {"I": "1", "II": "2", "III": "3"}.get(roman, roman) if finding == "modic_change" else roman
    )


_BULGES = {"diffuse": "diffuse", "弥漫": "diffuse", "broad": "broad", "wide": "broad", "focal": "focal"}
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "ⅰ": "I", "ⅱ": "II", "ⅲ": "III", "ⅳ": "IV", "ⅴ": "V"}
