"""DICOM files with planted identifiers, what PS3.15 wants done with each element, and a score of what was done.

What is wanted is written here by hand from Table E.1-1 (basic profile, Clean Descriptors Option), not taken from the code that
is scored. The names are drawn by syllables, so that no list of names or words holds them.
"""

import io
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import set_pixel_data
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage, generate_uid

ACTIONS = ("remove", "replace", "uid", "date", "clean", "keep")
"""Element gone · value gone · another UID, the same for equal ones · no date or time left · words gone · as it was."""

REMOVE = {
    "ST": "InstitutionAddress",
    "LO": "PatientAddress OtherPatientIDs MilitaryRank CurrentPatientLocation CountryOfResidence",
    "SH": "PatientTelephoneNumbers EthnicGroup Occupation PerformedLocation",
    "LT": "PatientComments ImageComments AdditionalPatientHistory ReasonForStudy StudyComments",
    "PN": "PatientMotherBirthName RequestingPhysician PerformingPhysicianName NameOfPhysiciansReadingStudy PhysiciansOfRecord",
    "AE": "ScheduledStationAETitle PerformedStationAETitle",
    "AS": "PatientAge",
    "DS": "PatientWeight PatientSize",
    "UR": "RetrieveURL",
    "UT": "TextValue",
    "OB": "EncryptedContent MAC ICCProfile",
    "UC": "LongDeviceDescription",
    "CS": "SmokingStatus",
}
REPLACE = {
    "PN": "PatientName ReferringPhysicianName OperatorsName",
    "LO": "PatientID InstitutionName DeviceSerialNumber",
    "SH": "AccessionNumber StudyID StationName",
    "UT": "LabelText",
}
UIDS = "StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID IrradiationEventUID"
DATES = {
    "DA": "StudyDate SeriesDate AcquisitionDate ContentDate PatientBirthDate InstanceCreationDate DateOfLastCalibration",
    "DT": "AcquisitionDateTime FrameAcquisitionDateTime StartAcquisitionDateTime",
    "TM": "StudyTime SeriesTime ContentTime AcquisitionTime",
}
CLEAN = {
    "LO": "StudyDescription SeriesDescription ProtocolName RequestedProcedureDescription PerformedProcedureStepDescription",
    "ST": "DerivationDescription",
    "UT": "AcquisitionProtocolDescription",
}
ODD = {  # elements that usually stay, with an identifier where none belongs: nothing of it may be left
    "LO": "SoftwareVersions PositionReferenceIndicator WindowCenterWidthExplanation ManufacturerModelName FilterType",
    "SH": "SequenceName ConvolutionKernel ReceiveCoilName ScanLengthLabel",
    "CS": "BodyPartExamined ContentLabel ScanOptions",
    "LT": "MaskSubtractionMode",
}
KEEP = {
    "CS": (("Modality", "MR"), ("ImageType", ["ORIGINAL", "PRIMARY"]), ("PatientPosition", "HFS"), ("ScanningSequence", "SE")),
    "DS": (
        *(
            ("SliceThickness", "3.5"),
            ("KVP", "120"),
            ("EchoTime", "102"),
            ("PixelSpacing", ["0.5", "0.5"]),
            ("WindowCenter", "40"),
        ),
        *(("ImagePositionPatient", ["1", "-2.5", "30"]), ("RescaleSlope", "1"), ("FlipAngle", "90")),
    ),
    "IS": (("SeriesNumber", 4), ("InstanceNumber", 12), ("EchoTrainLength", 16)),
    "LO": (("Manufacturer", "SIEMENS"), ("ManufacturerModelName", "Aera")),
    "SH": (("SequenceName", "*tse2d1_17"), ("ConvolutionKernel", "B60s")),
    "US": (("AcquisitionMatrix", [0, 320, 256, 0]),),
    "SS": (("TagAngleSecondAxis", -4),),
    "SL": (("ReferencePixelX0", -12),),
    "UL": (("RegionLocationMinX0", 7),),
    "SV": (("SelectorSVValue", -9),),
    "UV": (("SelectorUVValue", 9),),
    "FD": (("DiffusionBValue", 800.0),),
    "FL": (("RecommendedDisplayFrameRateInFloat", 1.5),),
    "AT": (("FrameIncrementPointer", 0x00181063),),
    "UI": (("SOPClassUID", MRImageStorage),),
}
CONTAINERS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelValueTransformationSequence")
PRIVATE_VRS = ("LO", "PN", "UN", "OB", "OW", "OF", "OD", "OL", "OV", "DA", "UI", "ST", "UT", "SQ")
WORDS = ("LUMBAR SPINE", "SAG T2 TSE", "CERVICAL without contrast", "AX T1 3mm", "腰椎 平扫")


@dataclass(frozen=True)
class Plant:
    """One planted element: where it is, what is wanted, and the words of it that may not be left (``keep``: none)."""

    path: tuple  # tags, and between them the numbers of items
    vr: str
    place: str  # top, nested, private, overlay, odd (text where a code or make belongs)
    action: str
    before: object
    secrets: tuple[str, ...] = ()


@dataclass
class PlantedFile:
    """A data set and its plants."""

    dataset: Dataset
    plants: list[Plant] = field(default_factory=list)


def planted_files(number: int, seed: int = 0, pixels: bool = True) -> Iterator[PlantedFile]:
    """Make ``number`` files; every fifth holds pixels, in turn grey, frames, RGB and a palette, if ``pixels``."""
    for index in range(number):
        yield _Maker(random.Random(f"{seed}/{index}")).make(pixels and index % 5 == 0, index // 5)


def score(planted: PlantedFile, clean: Dataset, uids: dict[str, str]) -> list[tuple[Plant, bool]]:
    """Return (plant, done right) for each plant of a file. ``uids``: old -> new, kept over files, to check that they agree."""
    return [(plant, _is_right(plant, clean, uids)) for plant in planted.plants]


def secrets_left(planted: PlantedFile, data: bytes) -> set[str]:
    """Return the planted words and numbers that a search of the file's bytes finds, in any case."""
    lower = data.lower()
    return {secret for plant in planted.plants for secret in plant.secrets if secret.lower().encode() in lower}


def write_and_read(dataset: Dataset, implicit: bool) -> tuple[Dataset, bytes]:
    """Write a data set as a file and read it back; also return the file's bytes."""
    compressed = dataset.file_meta.TransferSyntaxUID
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else compressed
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True, implicit_vr=implicit, little_endian=True)
    return pydicom.dcmread(io.BytesIO(buffer.getvalue())), buffer.getvalue()


def tally(results: Iterable[tuple[Plant, bool]]) -> dict[str, dict[str, tuple[int, int]]]:
    """Count (right, all) of scored plants by action, place and VR."""
    counts = {by: Counter() for by in ("action", "place", "vr")}
    right = {by: Counter() for by in counts}
    for plant, done in results:
        for by in counts:
            counts[by][getattr(plant, by)] += 1
            right[by][getattr(plant, by)] += done
    return {by: {kind: (right[by][kind], count) for kind, count in sorted(counts[by].items())} for by in counts}


class _Maker:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.file = PlantedFile(Dataset())
        self.people = [self.person() for _ in range(4)]
        self.number = str(rng.randrange(10**7, 10**8))

    def make(self, pixels: bool, turn: int) -> PlantedFile:
        dataset = self.file.dataset
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
        dataset.SpecificCharacterSet = "ISO_IR 192"
        self.level(dataset, (), "top", share=0.6)
        for keyword in self.rng.sample(CONTAINERS, self.rng.randint(1, 2)):
            self.nest(dataset, keyword, (), self.rng.randint(1, 3))
        self.references(dataset)
        self.private(dataset, ())
        self.overlays(dataset)
        if pixels:
            self.pixels(turn)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        return self.file

    def person(self) -> str:
        first, last = (
            "".join(self.rng.choice("BDFGKLMNPRTVZ") + self.rng.choice("aeiouy") for _ in range(3)) for _ in range(2)
        )
        return f"{first.upper()}^{last.upper()}"

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(name.split("^"))

    def add(
        self,
        dataset: Dataset,
        path: tuple[int, ...],
        vr: str,
        keyword: str,
        action: str,
        place: str,
        value: object,
        secrets: Sequence[str] = (),
    ) -> None:
        tag = Tag(keyword)
        if tag in dataset:
            return
        dataset.add(DataElement(tag, vr, value))
        self.file.plants.append(Plant((*path, int(tag)), vr, place, action, dataset[tag].value, tuple(secrets)))

    def level(self, dataset: Dataset, path: tuple[int, ...], place: str, share: float) -> None:
        always = ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

        def takes(keyword: str) -> bool:
            known = pydicom.datadict.tag_for_keyword(keyword) is not None
            return known and ((place == "top" and keyword in always) or self.rng.random() < share)

        for vr, keywords in REPLACE.items():
            for keyword in filter(takes, keywords.split()):
                value, secrets = self.identifier(vr, keyword)
                self.add(dataset, path, vr, keyword, "replace", place, value, secrets)
        for keyword in filter(takes, UIDS.split()):
            self.add(dataset, path, "UI", keyword, "uid", place, generate_uid(entropy_srcs=[self.number, keyword]))
        for vr, keywords in DATES.items():
            for keyword in filter(takes, keywords.split()):
                self.add(dataset, path, vr, keyword, "date", place, self.moment(vr))
        for vr, keywords in REMOVE.items():
            for keyword in filter(takes, keywords.split()):
                if pydicom.datadict.dictionary_VR(keyword) == vr:
                    value, secrets = self.identifier(vr, keyword)
                    self.add(dataset, path, vr, keyword, "remove", place, value, secrets)
        for vr, keywords in CLEAN.items():
            for keyword in filter(takes, keywords.split()):
                name = self.words(self.rng.choice([*self.people, self.person()]))
                text = self.rng.choice(("{words} {first} {last}", "{first} {last} {words}", "{words} MRN {number} Dr {last}"))
                value = text.format(words=self.rng.choice(WORDS), first=name[0].title(), last=name[1], number=self.number)
                secrets = [word for word in (*name, self.number) if word.lower() in value.lower()]
                self.add(dataset, path, vr, keyword, "clean", place, value, secrets)
        if self.rng.random() < 0.5:
            vr, keyword = self.rng.choice([(vr, keyword) for vr, keywords in ODD.items() for keyword in keywords.split()])
            if pydicom.datadict.tag_for_keyword(keyword) is not None and pydicom.datadict.dictionary_VR(keyword) == vr:
                # the patient, whom the header names, or somebody of whom it does not
                name = self.words(self.rng.choice((self.people[0], self.person())))[1]
                self.add(dataset, path, vr, keyword, "replace", "odd", name, (name,))
        for vr, rows in KEEP.items():
            for keyword, value in rows:
                if takes(keyword):
                    self.add(dataset, path, vr, keyword, "keep", place, value)

    def identifier(self, vr: str, keyword: str) -> tuple[object, Sequence[str]]:
        name = self.people[0] if keyword in ("PatientName", "OtherPatientIDs") else self.rng.choice(self.people)
        words = self.words(name)
        if vr == "PN":
            return name, words
        if vr == "AS":
            return f"0{self.rng.randrange(20, 99)}Y", ()
        if vr == "DS":
            return str(self.rng.randrange(40, 120)), ()
        if vr == "OB":
            return f"{words[0]} {self.number}".encode().ljust(24), (words[0], self.number)
        if vr == "AE":
            return words[0] + "_MR", words[:1]
        if vr == "UR":
            return f"https://{words[1].lower()}.example/{self.number}", (words[1], self.number)
        if vr == "CS":
            return "YES", ()
        if keyword in ("PatientID", "AccessionNumber", "StudyID", "DeviceSerialNumber", "OtherPatientIDs"):
            return self.number, (self.number,)
        return f"{words[0].title()} {words[1]}"[:16], words[:1]

    def moment(self, vr: str) -> str:
        date = f"{self.rng.randrange(1935, 2024)}{self.rng.randrange(1, 13):02}{self.rng.randrange(1, 28):02}"
        time = f"{self.rng.randrange(1, 24):02}{self.rng.randrange(1, 60):02}31"
        return {"DA": date, "TM": time, "DT": date + time}[vr]

    def nest(self, dataset: Dataset, keyword: str, path: tuple[int, ...], depth: int) -> None:
        item = Dataset()
        here = (*path, int(Tag(keyword)), 0)
        self.level(item, here, "nested", share=0.25)
        if self.rng.random() < 0.5:
            self.private(item, here)
        if depth > 1:
            self.nest(item, self.rng.choice(CONTAINERS), here, depth - 1)
        dataset.add(DataElement(Tag(keyword), "SQ", [item]))

    def references(self, dataset: Dataset) -> None:
        item = Dataset()
        path = (int(Tag("ReferencedImageSequence")), 0)
        self.add(item, path, "UI", "ReferencedSOPInstanceUID", "uid", "nested", dataset.SOPInstanceUID)
        self.add(item, path, "UI", "ReferencedSOPClassUID", "keep", "nested", MRImageStorage)
        dataset.ReferencedImageSequence = [item]
        code = Dataset()
        path = (int(Tag("AnatomicRegionSequence")), 0)
        for vr, keyword, value in (
            ("SH", "CodeValue", "122496007"),
            ("SH", "CodingSchemeDesignator", "SCT"),
            ("LO", "CodeMeaning", "Lumbar spine structure"),
        ):
            self.add(code, path, vr, keyword, "keep", "nested", value)
        dataset.AnatomicRegionSequence = [code]
        for keyword in (
            "RequestAttributesSequence",
            "OtherPatientIDsSequence",
            "IconImageSequence",
            "DigitalSignaturesSequence",
        ):
            inner = Dataset()
            inner.PatientID = self.number
            self.add(dataset, (), "SQ", keyword, "remove", "top", [inner], (self.number,))

    def private(self, dataset: Dataset, path: tuple[int, ...]) -> None:
        group = self.rng.choice((0x0009, 0x0019, 0x0029, 0x0051, 0x7FE1))
        block = dataset.private_block(group, f"OURS {self.person().split('^')[0]}", create=True)
        for offset, vr in enumerate(self.rng.sample(PRIVATE_VRS, 4), 1):
            words = self.words(self.people[0])
            if vr == "SQ":
                inner = Dataset()
                inner.PatientName = self.people[0]
                value = [inner]
            elif vr == "DA":
                value = self.moment("DA")
            elif vr == "UI":
                value = generate_uid(entropy_srcs=[self.number, str(offset)])
            elif vr in ("UN", "OB", "OW", "OF", "OD", "OL", "OV"):
                value = f"{words[0]} {words[1]}".encode().ljust(24)[:24]
            else:
                value = " ".join(words)
            block.add_new(offset, vr, value)
            secrets = () if vr in ("DA", "UI") else words[:1]
            self.file.plants.append(Plant((*path, int(block.get_tag(offset))), vr, "private", "remove", value, secrets))

    def overlays(self, dataset: Dataset) -> None:
        for group in self.rng.sample((0x6000, 0x6002, 0x601E, 0x5000), 2):
            name = self.words(self.people[0])[0]
            for element, vr, value in ((0x0010, "US", 8), (0x0022, "LO", name), (0x3000, "OW", name.encode().ljust(8))):
                tag = Tag(group, element)
                dataset.add(DataElement(tag, vr, value))
                secrets = () if vr == "US" else (name,)
                self.file.plants.append(Plant((int(tag),), vr, "overlay", "remove", value, secrets))

    def pixels(self, turn: int) -> None:
        dataset = self.file.dataset
        rows, columns = np.mgrid[0:48, 0:64]
        grey = (rows * 2 + columns).astype(np.uint8)
        pixels, photometric = (
            (grey.astype(np.uint16) * 16, "MONOCHROME2"),
            (np.stack([grey, grey + 9, grey + 20]), "MONOCHROME2"),
            (np.stack([grey, grey // 2, 255 - grey], axis=-1), "RGB"),
            (grey, "PALETTE COLOR"),
        )[turn % 4]
        bits = 12 if pixels.dtype == np.uint16 else 8
        set_pixel_data(dataset, pixels, photometric, bits, generate_instance_uid=False)
        if photometric == "PALETTE COLOR":
            for colour in ("Red", "Green", "Blue"):
                dataset.add(DataElement(Tag(f"{colour}PaletteColorLookupTableDescriptor"), "US", [256, 0, 16]))
                table = np.arange(0, 65536, 256, dtype=np.uint16).tobytes()
                dataset.add(DataElement(Tag(f"{colour}PaletteColorLookupTableData"), "OW", table))


def _find(dataset: Dataset, path: tuple[int, ...]) -> DataElement | None:
    for index, step in enumerate(path):
        if step not in dataset if index % 2 == 0 else step >= len(dataset):
            return None
        dataset = dataset[step] if index == len(path) - 1 else (dataset[step].value if index % 2 == 0 else dataset[step])
    return dataset


def _is_right(plant: Plant, clean: Dataset, uids: dict[str, str]) -> bool:
    element = _find(clean, plant.path)
    text = "" if element is None else str(element.value).lower()
    if any(secret.lower() in text for secret in plant.secrets):
        return False
    if plant.action == "remove":
        return element is None
    if plant.action == "replace":
        return element is None or element.value != plant.before
    if plant.action == "uid":
        return bool(text) and text != str(plant.before) and uids.setdefault(str(plant.before), text) == text
    if plant.action == "date":
        return text in ("", "00010101", "00010101000000", "000000")
    if plant.action == "clean":
        words = [
            word for word in re.findall(r"\w+", str(plant.before).lower()) if any(word in row.lower().split() for row in WORDS)
        ]
        return all(word in text.split() for word in words)
    return element is not None and element.value == plant.before
