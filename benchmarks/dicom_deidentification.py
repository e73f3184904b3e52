"""Measure what is done with each element of DICOM files that hold planted identifiers (the manner of MIDI-B's action score).

    python benchmarks/dicom_deidentification.py [--files 240] [--seed 0]

Prints a table and writes benchmarks/results/dicom_deidentification.json. The files (planted_dicom.py) hold
elements of all VRs: top level, sequences in sequences, private blocks, overlays and curves; a fifth of them hold pixels (grey,
frames, RGB, palette). Each file is cleaned, written, in turn with explicit and implicit VR, read back and searched byte by byte
for every planted name and number.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402
from planted_dicom import planted_files, score, secrets_left, tally, write_and_read  # noqa: E402

from dataset_builders.deidentify.dicom_headers import deidentify_dicom  # noqa: E402


def main() -> None:
    """Clean the files, print the share of right actions by action, place and VR, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results, leaking, names, uids = [], 0, set(), {}
    start = time.perf_counter()
    for number, planted in enumerate(planted_files(options.files, options.seed)):
        clean, data = write_and_read(deidentify_dicom(planted.dataset), implicit=number % 2 == 1)
        if "PixelData" in clean:
            clean.pixel_array  # noqa: B018 - it must be decodable
        left = secrets_left(planted, data)
        leaking += bool(left)
        results += score(planted, clean, uids)
        names |= {secret for plant in planted.plants for secret in plant.secrets}
    seconds = time.perf_counter() - start
    figures = {"files": options.files, "seed": options.seed, "elements": len(results), "identifiers": len(names)}
    figures |= {"files_with_an_identifier_left": leaking, "seconds_a_file": round(seconds / options.files, 3)}
    counted = tally(results)
    for by, rows in counted.items():
        print(f"{by:10}{'right':>7}{'all':>7}{'share':>8}")
        for kind, (right, count) in rows.items():
            print(f"{kind:10}{right:7}{count:7}{right / count:8.4f}")
    for plant in [plant for plant, done in results if not done][:20]:
        print("wrong:", plant.action, plant.place, plant.vr, "/".join(f"{step:x}" for step in plant.path))
    write_result("dicom_deidentification", figures | {"right_of_all": counted}, ("pydicom", "dicom-anonymizer", "rapidocr"))


if __name__ == "__main__":
    main()
