"""Give decisions to other programs and take them back: CSV, one line a decision, and Label Studio, one task an item.

    review export --format csv            id, verdict, reasons, corrected … of every decision that holds
    review export --format label_studio   tasks.json with annotations, labels.xml (its labelling set-up) and images/
    review import FILE                    either; all of it is taken, or, if a line is wrong, nothing

Both carry the version of data set and item. An import checks every line as the page does (desk.py); a line that is there
already is not taken twice, and one that was changed is a new decision of that reviewer. Texts that a spreadsheet would run as
a formula begin with ' in the CSV; the import takes that off.
"""

import csv
import datetime
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from dataset_builders.item import Item
from dataset_builders.private_files import make_private_folder, open_private_file, write_private
from dataset_builders.review.corrections import editable
from dataset_builders.review.decisions import VERDICTS, Decision
from dataset_builders.review.desk import Judgement
from dataset_builders.review.folder import Study, is_private
from dataset_builders.review.images import ScaledImages
from dataset_builders.review.reasons import Reason
from dataset_builders.review.verdicts import Verdict

COLUMNS = (
    "item", "reviewer", "group", "stage", "verdict", "reasons", "comment", "corrected", "second_look", "seconds", "time",
    "item_sha256", "data_set",
)  # fmt: skip
_NEEDED = ("item", "reviewer", "verdict", "item_sha256", "data_set")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def final_verdicts(study: Study, decisions: Iterable[Decision], reasons: Mapping[str, Reason]) -> list[Verdict]:
    """Return the verdict of each item on which the review is done, for the next build (verdicts.write_verdicts)."""
    verdicts = []
    for id, standing in study.standings(decisions).items():
        final = standing.final
        if final is None:
            continue
        words = "; ".join(reasons[code].en for code in final.reasons if code in reasons)
        comment = "" if is_private(study.items[id]) else final.comment  # it may quote a patient, and a row carries it on
        verdicts.append(
            Verdict(
                id=id,
                review_status={"accept": "accepted", "correct": "corrected", "remove": "removed"}[final.verdict],
                review_group="+".join(sorted({decision.group for decision in standing.made})),
                reviewed_at=max(decision.time for decision in standing.made)[:10],
                review_verdict=": ".join(part for part in (words, comment) if part) or None,
                reasons=final.reasons,
                corrected=final.corrected,
                item_sha256=study.hashes[id],
                data_set=study.data_set,
            )
        )
    return verdicts


def write_csv(decisions: Iterable[Decision], path: Path) -> int:
    """Write decisions as a CSV that spreadsheets open (UTF-8 with mark); return how many."""
    count = 0
    with io.TextIOWrapper(open_private_file(path, "wb"), encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for decision in decisions:
            row = decision.to_dict() | {
                "reasons": ";".join(decision.reasons),
                "corrected": json.dumps(decision.corrected, ensure_ascii=False) if decision.corrected else "",
                "second_look": "yes" if decision.second_look else "",
            }
            writer.writerow({name: _escape(value) for name, value in row.items()})
            count += 1
    return count


def read_csv(path: Path) -> list[tuple[str, Judgement]]:
    """Read reviewers and judgements; lines without a verdict are left out.

    Raises ValueError naming the column, or the line and what is wrong with it.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}: no column {', '.join(missing)}; export a review as CSV to see the form")
        judged = []
        for number, line in enumerate(reader, 2):
            row = {name: _unescape(value or "") for name, value in line.items() if name in COLUMNS}
            if row["verdict"].strip():
                judged.append((row["reviewer"], _judgement(row, f"{path} line {number}")))
    return judged


def write_label_studio(
    study: Study,
    decisions: Sequence[Decision],
    reasons: Mapping[str, Reason],
    images: ScaledImages,
    folder: Path,
    *,
    private: bool,
) -> int:
    """Write ``folder`` for Label Studio: the items (hospital cases only if ``private``) and decisions on them; return how many.

    Its server reads the images if started with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to ``folder``.
    """
    make_private_folder(folder / "images")
    folder.chmod(0o700)
    items = [item for item in study.items.values() if private or not is_private(item)]
    for sha256 in sorted({image for item in items for image in item.images}):
        with open_private_file(folder / "images" / f"{sha256}.png", "wb") as file:
            file.write(images.get(sha256))
    tasks = []
    for number, item in enumerate(items, 1):
        made = [decision for decision in decisions if decision.item == item.id]
        annotations = [{"completed_by": one.reviewer, "result": _results(one)} for one in made]
        tasks.append({"id": number, "data": _task(study, item), "annotations": annotations})
    write_private(folder / "tasks.json", json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    write_private(folder / "labels.xml", _set_up(reasons))
    return len(tasks)


def read_label_studio(path: Path, people: Mapping[str, str]) -> list[tuple[str, Judgement]]:
    """Read reviewers and judgements from Label Studio's JSON export; annotations without a verdict are left out.

    people   what ``completed_by`` holds (an id or address) -> pseudonym; a pseudonym needs no entry.

    Raises ValueError naming the task and what is wrong with it.
    """
    tasks = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(tasks, list):
        raise ValueError(f"{path}: is no list of tasks; export the project as JSON, not JSON-MIN")
    judged = []
    for number, task in enumerate(tasks, 1):
        place = f"{path} task {number}"
        try:
            data, annotations = task["data"], task.get("annotations") or []
            rows = [(_name(one["completed_by"], people), _row(one["result"], data)) for one in annotations]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{place}: has no {error}; is it an export of these tasks?") from error
        for reviewer, row in rows:
            if row["verdict"]:
                judged.append((reviewer, _judgement({**row, "reviewer": reviewer}, place, source="label_studio")))
    return judged


def _judgement(row: Mapping[str, Any], place: str, source: str = "csv") -> Judgement:
    for name in _NEEDED:
        if not row.get(name):
            raise ValueError(f"{place}: {name} is empty")
    try:
        corrected = json.loads(row["corrected"]) if row.get("corrected") else None
        seconds = float(row["seconds"]) if row.get("seconds") else None
        datetime.datetime.fromisoformat(row.get("time") or "2000-01-01")
    except ValueError as error:
        raise ValueError(f"{place}: corrected, seconds or time cannot be read ({error})") from error
    if corrected is not None and not isinstance(corrected, dict):
        raise ValueError(f"{place}: corrected is no object of fields")
    content = [row.get(name) for name in COLUMNS if name not in ("group", "seconds", "time")]
    return Judgement(
        key=hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:32],
        item=row["item"],
        item_sha256=row["item_sha256"],
        stage=row.get("stage") or "first",
        verdict=row["verdict"].strip(),
        reasons=tuple(dict.fromkeys(code.strip() for code in (row.get("reasons") or "").split(";") if code.strip())),
        comment=row.get("comment") or "",
        corrected=corrected,
        second_look=bool(row.get("second_look")),
        seconds=seconds,
        source=source,
        data_set=row["data_set"],
        time=row.get("time") or None,
    )


def _task(study: Study, item: Item) -> dict[str, Any]:
    fields = editable(item)
    source = item.provenance
    return {
        "item": item.id,
        "item_sha256": study.hashes[item.id],
        "data_set": study.data_set,
        "rule": item.generation.prompt_id,
        "text": "\n\n".join(f"{message.role}: {message.text}" for message in item.messages),
        "answer": item.answer or "",
        "source": f"{source.source_title or source.source_id}, {source.source_locator}\n\n" + "\n\n".join(item.context),
        "images": [f"/data/local-files/?d=images/{sha256}.png" for sha256 in item.images],
        "fields": json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False, indent=1),
    }


def _results(decision: Decision) -> list[dict[str, Any]]:
    def choices(name: str, values: Sequence[str]) -> dict[str, Any]:
        return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(values)}}

    def words(name: str, text: str) -> dict[str, Any]:
        return {"from_name": name, "to_name": "text", "type": "textarea", "value": {"text": [text]}}

    found = [choices("verdict", [decision.verdict])]
    if decision.reasons:
        found.append(choices("reasons", decision.reasons))
    if decision.comment:
        found.append(words("comment", decision.comment))
    if decision.corrected:
        found.append(words("corrected", json.dumps(decision.corrected, ensure_ascii=False)))
    if decision.stage != "first":
        found.append(choices("stage", [decision.stage]))
    return found


def _row(results: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> dict[str, str]:
    row = {name: str(data[name]) for name in ("item", "item_sha256", "data_set")} | {"verdict": ""}
    for result in results:
        value = result["value"]
        row[str(result["from_name"])] = ";".join(value["choices"]) if "choices" in value else "\n".join(value["text"])
    return row


def _name(completed_by: Any, people: Mapping[str, str]) -> str:
    known = completed_by.get("email") or completed_by["id"] if isinstance(completed_by, dict) else completed_by
    return people.get(str(known), str(known))


def _set_up(reasons: Mapping[str, Reason]) -> str:
    verdicts = "".join(f"<Choice value={quoteattr(verdict)}/>" for verdict in VERDICTS)
    choices = "".join(
        f"<Choice value={quoteattr(one.code)} hint={quoteattr(f'{one.en} / {one.zh}')}/>" for one in reasons.values()
    )
    return f"""<View>
  <Image name="image" valueList="$images" zoom="true" brightnessControl="true" contrastControl="true"/>
  <Text name="text" value="$text"/>
  <Text name="source" value="$source"/>
  <Choices name="verdict" toName="text" choice="single" required="true">{verdicts}</Choices>
  <Choices name="reasons" toName="text" choice="multiple">{choices}</Choices>
  <TextArea name="comment" toName="text" placeholder="comment"/>
  <Text name="fields" value="$fields"/>
  <TextArea name="corrected" toName="text" placeholder="the fields above that change, as JSON"/>
</View>
"""


def _escape(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _unescape(value: str) -> str:
    return value[1:] if value.startswith("'") else value
