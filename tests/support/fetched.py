"""What a fetch left in its folder, read back."""

import json

QUERY = 'TITLE:"spinal stenosis" OR disc'


def files_below(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and ".fetch" not in path.parts
    )


def manifest(folder):
    return [json.loads(line) for line in (folder / ".fetch" / "manifest.jsonl").read_text().splitlines()]


def by_id(outcomes):
    return {outcome.id: (outcome.status, outcome.reason) for outcome in outcomes}
