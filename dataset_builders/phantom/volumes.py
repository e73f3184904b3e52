"""Make synthetic CT and T2-weighted MR volumes of the spine, with label maps, centroids and findings at known levels.

Everything follows from the seed: the shape of the column, the findings and the noise. Files are laid out as VerSe does.

    folder/sub-phantom001_ct.nii.gz               image, HU (``_T2w``: arbitrary units), stored with axes (P, I, R)
           sub-phantom001_seg-vert_msk.nii.gz     label map on the same grid
           sub-phantom001_seg-subreg_ctd.json     centroids, voxel indices along (P, I, R)
           sub-phantom001_findings.json           [{"name", "level", "grade", "value", "unit"}, …]

Label map: vertebrae as in VerSe (1–7 C1–C7, 8–19 T1–T12, 20–24 L1–L5, 26 the S1 segment; the sacrum below it is drawn, not
labelled), 60 spinal cord, 61 the rest of the thecal sac, and discs as 100 + the label of the vertebra above (124 is L5/S1).
If the centre of a vertebra's body is outside the field of view, neither the vertebra nor its discs are labelled.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dataset_builders.document import Finding
from dataset_builders.phantom.anatomy import LEVELS, Array, Vertebra, stack_spine
from dataset_builders.phantom.painting import CORD, DISC, LABELS, THECAL_SAC, paint

REGIONS = {"whole": ("S1", "C1"), "cervical": ("T3", "C1"), "thoracolumbar": ("S1", "T7"), "lumbar": ("S1", "T11")}
"""Lowest and highest vertebra wholly in the field of view."""

GRADES: dict[str, dict[str, tuple[float, float]]] = {
    "wedge_fracture": {"Genant 1": (21, 24.5), "Genant 2": (26, 39), "Genant 3": (42, 55)},
    "spondylolisthesis": {"Meyerding I": (13, 24), "Meyerding II": (27, 45)},
    "disc_narrowing": {"mild": (25, 35), "moderate": (45, 55), "severe": (65, 75)},
    "disc_degeneration": {"Pfirrmann 3": (3, 3), "Pfirrmann 4": (4, 4), "Pfirrmann 5": (5, 5)},
}
"""What can be planted: grade -> range of the value. Values are % of anterior height lost (Genant 1993: 20–25, 25–40, over 40),
% of slip on the vertebra below (Meyerding 1932: up to 25, 25–50), % of disc height lost (thresholds ours)."""

_PFIRRMANN = {"mild": "Pfirrmann 3", "moderate": "Pfirrmann 4", "severe": "Pfirrmann 5"}
_DARKENING = {"Pfirrmann 3": 0.45, "Pfirrmann 4": 0.8, "Pfirrmann 5": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class PhantomVolume:
    """One synthetic case.

    image      int16, axes (R, A, S): HU for "ct", arbitrary units for "mri".
    labels     uint8, same shape (see the module's docstring for the numbers).
    affine     4 × 4, voxel index to RAS mm.
    centroids  level -> voxel index (i, j, k) of the body's centre (C1: its anterior arch), for levels in the field of view.
    """

    case_id: str
    modality: str
    image: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]
    centroids: Mapping[str, tuple[float, float, float]]
    findings: tuple[Finding, ...]


def make_volume(
    seed: int, modality: str = "ct", region: str = "whole", findings: Sequence[Finding] | None = None
) -> PhantomVolume:
    """Make the volume of ``seed``; if ``findings`` is None the seed chooses them, () plants none.

    A wedge_fracture names a vertebra ("L1"), other findings a disc ("L4/L5"); if ``value`` is None the seed draws one from
    the range of its grade. Raises ValueError if a modality, region, finding, grade or level cannot be made.
    """
    if modality not in ("ct", "mri"):
        raise ValueError(f"modality {modality!r}: use 'ct' or 'mri'")
    if region not in REGIONS:
        raise ValueError(f"region {region!r}: use one of {', '.join(REGIONS)}")
    shape_rng, noise_rng, finding_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3))
    planted = _choose(finding_rng, modality, region) if findings is None else tuple(findings)
    planted = tuple(_settle(finding, finding_rng, region) for finding in planted)
    spine = stack_spine(
        shape_rng, *(_fractions(planted, name) for name in ("wedge_fracture", "spondylolisthesis", "disc_narrowing"))
    )
    x, y, z, spacing = _grid(spine, region, modality)
    darkening = {f.level: _DARKENING[f.grade] for f in planted if f.name == "disc_degeneration" and f.grade}
    image, labels = paint(spine, darkening, modality, x, y, z, shape_rng)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = x[0], y[0], z[0]
    centroids = _centroids(spine, labels, affine)
    whole = [level for level in LEVELS if level in centroids]
    kept = [LABELS[level] for level in whole] + [DISC + LABELS[upper] for _, upper in pairwise(whole)] + [CORD, THECAL_SAC]
    return PhantomVolume(
        case_id=f"sub-phantom{seed:03d}",
        modality=modality,
        image=_degrade(image, modality, noise_rng),
        labels=np.where(np.isin(labels, kept), labels, np.uint8(0)),
        affine=affine,
        centroids=centroids,
        findings=planted,
    )


def write_volume(volume: PhantomVolume, folder: Path) -> tuple[Path, ...]:
    """Write the four files of a case and return their paths; the same volume gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / f"{volume.case_id}_{'ct' if volume.modality == 'ct' else 'T2w'}.nii.gz"
    mask = folder / f"{volume.case_id}_seg-vert_msk.nii.gz"
    centroids = folder / f"{volume.case_id}_seg-subreg_ctd.json"
    findings = folder / f"{volume.case_id}_findings.json"
    to_stored = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt("PIR"))
    affine = volume.affine @ nib.orientations.inv_ornt_aff(to_stored, volume.image.shape)
    for path, array in ((image, volume.image), (mask, volume.labels)):
        _write_nifti(path, nib.orientations.apply_orientation(array, to_stored), affine)
    points: list[dict] = [{"direction": ["P", "I", "R"]}]
    _, ny, nz = volume.image.shape
    for level, (i, j, k) in volume.centroids.items():
        points.append({"label": LABELS[level], "X": round(ny - 1 - j, 1), "Y": round(nz - 1 - k, 1), "Z": round(i, 1)})
    centroids.write_text(json.dumps(points) + "\n", encoding="utf-8")
    findings.write_text(json.dumps([asdict(finding) for finding in volume.findings], indent=1) + "\n", encoding="utf-8")
    return image, mask, centroids, findings


def _choose(rng: np.random.Generator, modality: str, region: str) -> tuple[Finding, ...]:
    """Choose no finding in one case of six, otherwise one or two findings of different kinds at levels where each is common."""
    common = {
        "wedge_fracture": ("T8", "T11", "T12", "L1", "L2"),
        "spondylolisthesis": ("L3/L4", "L4/L5", "L5/S1"),
        "disc_narrowing": ("C4/C5", "C5/C6", "C6/C7", "L2/L3", "L3/L4", "L4/L5", "L5/S1"),
    }
    inside = _inside(region)
    count = int(rng.choice([0, 1, 2], p=[1 / 6, 1 / 2, 1 / 3]))
    findings: list[Finding] = []
    for name in map(str, rng.permutation(list(common))[:count]):
        levels = [level for level in common[name] if set(level.split("/")) <= inside]
        if not levels:
            continue
        grade = str(rng.choice(list(GRADES[name])))
        level = str(rng.choice(levels))
        findings.append(Finding(name, level, grade))
        if name == "disc_narrowing" and modality == "mri":
            findings.append(Finding("disc_degeneration", level, _PFIRRMANN[grade]))
    return tuple(findings)


def _settle(finding: Finding, rng: np.random.Generator, region: str) -> Finding:
    """Check a finding and give it a value: integer % (none for Pfirrmann grades)."""
    if finding.name not in GRADES or finding.grade not in GRADES[finding.name]:
        raise ValueError(f"{finding.name} {finding.grade!r} cannot be planted; grades are {GRADES}")
    vertebrae = finding.level.split("/")
    if not set(vertebrae) <= _inside(region):
        raise ValueError(f"{finding.name}: {finding.level} is not in the {region} field of view")
    adjacent = len(vertebrae) == 2 and LEVELS.index(vertebrae[0]) == LEVELS.index(vertebrae[1]) + 1
    if (len(vertebrae) == 1) != (finding.name == "wedge_fracture") or (len(vertebrae) == 2 and not adjacent):
        raise ValueError(f"{finding.name} at {finding.level!r}: give one vertebra for a fracture, or else a disc like 'L4/L5'")
    if finding.name == "disc_degeneration":
        return Finding(finding.name, finding.level, finding.grade)
    low, high = GRADES[finding.name][finding.grade]
    value = finding.value if finding.value is not None else round(float(rng.uniform(low, high)), 1)
    return Finding(finding.name, finding.level, finding.grade, value, "%")


def _fractions(findings: Sequence[Finding], name: str) -> dict[str, float]:
    return {f.level.split("/")[0]: (f.value or 0.0) / 100 for f in findings if f.name == name}


def _inside(region: str) -> set[str]:
    lowest, highest = REGIONS[region]
    return set(LEVELS[LEVELS.index(lowest) : LEVELS.index(highest) + 1])


def _grid(spine: Mapping[str, Vertebra], region: str, modality: str) -> tuple[Array, Array, Array, tuple[float, float, float]]:
    """Return voxel centres along x, y, z in mm. Sagittal slices are thicker in MR, as in practice."""
    vertebrae = [spine[level] for level in LEVELS if level in _inside(region)]
    fine = 2.0 if region == "whole" else 1.5
    thick = {"ct": 2.5 if region == "whole" else 2.0, "mri": 3.0}[modality]
    half = 42.0 if region == "cervical" else 60.0
    bottom = vertebrae[0].centre[2] - (38 if vertebrae[0].level == "S1" else vertebrae[0].height)
    top = vertebrae[-1].centre[2] + (30 if vertebrae[-1].level == "C1" else vertebrae[-1].height)
    front = max(v.centre[1] for v in vertebrae) + 55
    back = min(v.centre[1] for v in vertebrae) - (70 if region == "cervical" else 95)
    axes = [
        np.arange(low, high, step, dtype=np.float32)
        for low, high, step in ((-half, half, thick), (back, front, fine), (bottom, top, fine))
    ]
    return axes[0], axes[1], axes[2], (thick, fine, fine)


def _degrade(image: Array, modality: str, rng: np.random.Generator) -> NDArray[np.int16]:
    """Add scanner noise: slightly correlated Gaussian in CT, Rician with a surface-coil falloff in MR.

    Values are rounded to coarse steps, which keeps files small.
    """
    if modality == "ct":
        noise = gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), 0.6) * 45
        return (np.round(np.maximum(image + noise * (image > -950), -1000) / 8) * 8).astype(np.int16)
    depth = np.linspace(0, 1, image.shape[1], dtype=np.float32)[None, :, None]  # back to front
    lobes = gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), 14)
    bias = (1.25 - 0.55 * depth) * (1 + 0.12 * lobes / lobes.std())
    real, imaginary = (rng.standard_normal(image.shape, dtype=np.float32) * 14 for _ in range(2))
    return (np.round(np.hypot(image * bias + real, imaginary) / 4) * 4).astype(np.int16)


def _centroids(
    spine: Mapping[str, Vertebra], labels: NDArray[np.uint8], affine: NDArray[np.float64]
) -> dict[str, tuple[float, float, float]]:
    """Return the body centres that lie in the volume and on their own label, in voxels, head to tail."""
    centroids = {}
    for level in reversed(LEVELS):
        v = spine[level]
        place = v.world(0.0, 9.5 if level == "C1" else 0.0, 0.0)
        voxel = (np.asarray(place) - affine[:3, 3]) / affine.diagonal()[:3]
        nearest = np.round(voxel).astype(int)
        if (nearest >= 0).all() and (nearest < labels.shape).all() and labels[tuple(nearest)] == LABELS[level]:
            centroids[level] = (float(voxel[0]), float(voxel[1]), float(voxel[2]))
    return centroids


def _write_nifti(path: Path, array: NDArray, affine: NDArray[np.float64]) -> None:
    image = nib.Nifti1Image(np.ascontiguousarray(array), affine)
    image.header.set_xyzt_units("mm")
    with path.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
        packed.write(image.to_bytes())
