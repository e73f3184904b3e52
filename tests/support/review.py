"""A small review: items with images in two languages, reviewers in three groups, and judgements as the page sends them."""

import io
import itertools

from PIL import Image

from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Criterion, Message, Quote
from dataset_builders.review.assignment import make_reviewers
from dataset_builders.review.decisions import DecisionLog
from dataset_builders.review.desk import Desk, Judgement
from dataset_builders.review.folder import Slice, create_study, open_study
from dataset_builders.review.reasons import load_reasons
from tests.support.items import make_item

HOSTILE = "<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'</script>"
_keys = itertools.count()


def make_items(count=6, **changes):
    return [make_item(f"item-{number}", case=f"case-{number // 2}", **changes) for number in range(count)]


def make_report(name="report-1", **changes):
    text = "## Findings\nDisc herniation at L4/L5."
    return make_item(
        name, task="report", options=(), answer=text, rubric=(Criterion("imaging_report", "names L4/L5"),),
        messages=(Message("user", "Write the report."), Message("assistant", text)), **changes,
    )  # fmt: skip


def png(width=32, height=24, shade=90):
    file = io.BytesIO()
    Image.new("L", (width, height), shade).save(file, "PNG")
    return file.getvalue()


def make_study(folder, items=None, *, reviewers=4, groups=3, overlap=0.5, slices=None):
    """A planned and opened review in ``folder``."""
    items = make_items() if items is None else items
    create_study(
        folder, items, slices or {}, make_reviewers(reviewers, groups), data_set="d" * 64, overlap=overlap, seed=0
    )  # fmt: skip
    return open_study(folder)


def make_desk(folder, items=None, **plan):
    study = make_study(folder, items, **plan)
    return Desk(study, DecisionLog(study.log), load_reasons())


def judge(study, item, verdict="accept", stage="first", **changes):
    if verdict != "accept":
        changes.setdefault("reasons", ("unsafe_omission",))
    if verdict == "correct":
        changes.setdefault("corrected", {"answer": "A"})
    return Judgement(f"key-{next(_keys):08d}", item, study.hashes[item], stage, verdict, **changes)


def item_of(study, raters):
    """An item that ``raters`` reviewers rate."""
    return next(id for id, names in study.raters.items() if len(names) == raters)


def make_viewed(folder):
    """Items for the page: a volume of three slices of which one is shown, a quote, Chinese, a report, and hostile markup."""
    store = ImageStore(folder / "images")
    volume = [store.put(png(40, 60, shade)) for shade in (40, 120, 200)]
    context = ("Before it. The L4 body is wedged 😀. After it.",)
    shown = make_item("shown", source="volume", images=(volume[1],), context=context, evidence=(Quote(0, 11, 33),))
    hostile = make_item("hostile", source="web", context=(HOSTILE,))
    hostile = make_item(
        "hostile", source="web", context=(HOSTILE,), options=(HOSTILE, "L4"),
        messages=(Message("user", f"{HOSTILE}\n\nA. {HOSTILE}\nB. L4"), hostile.messages[1]),
    )  # fmt: skip
    chinese = make_item(
        "chinese",
        source="zh",
        language="zh",
        messages=(Message("user", "哪一节段？\nA. L3\nB. L4"), Message("assistant", "B. L4")),
    )
    slices = {"shown": [Slice(sha256, f"sagittal slice {n + 1} of 3", "") for n, sha256 in enumerate(volume)]}
    return store, [shown, hostile, chinese, make_report()], slices
