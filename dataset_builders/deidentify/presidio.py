"""Connect Presidio both ways: our recognisers for hospitals that run it, and its recogniser for a hospital's name model.

    analyzer.registry.add_recognizer(...)  for each of presidio_recognizers()
    deidentify_text(note, names=load_name_model(Path("models/deid")))

Imported only if it is needed: Presidio imports spaCy, which is slow.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import HuggingFaceNerRecognizer
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from dataset_builders.deidentify import deidentify_text
from dataset_builders.deidentify.identifiers import Span
from dataset_builders.deidentify.rules import CATEGORIES

# What models call an identifier (CoNLL, i2b2 2006 and 2014, n2c2), without B-, I-, L- and U-; any other label is an OTHER_ID.
_CATEGORIES = {
    "NAME": ("PER", "PERSON", "NAME", "PATIENT", "DOCTOR", "STAFF", "HCW", "USERNAME"),
    "ORG": ("ORG", "ORGANIZATION", "HOSP", "HOSPITAL", "PATORG", "VENDOR"),
    "GEO": ("LOC", "LOCATION", "GPE", "ADDRESS", "STREET", "CITY", "STATE", "COUNTRY", "ZIP", "LOCATION-OTHER"),
    "DATE": ("DATE", "DATE_TIME"),
    "PHONE": ("PHONE", "PHONE_NUMBER", "CONTACT"),
    "FAX": ("FAX",),
    "EMAIL": ("EMAIL",),
    "URL": ("URL",),
    "MRN": ("MEDICALRECORD", "MRN"),
    "PLAN": ("HEALTHPLAN",),
    "DEVICE": ("DEVICE",),
    "BIOMETRIC": ("BIOID",),
}
# Labels of what identifies nobody: ages are left to our own rule (90 and more).
_NOT_IDENTIFYING = frozenset(("O", "AGE", "MISC", "PROFESSION", "NORP", "TIME"))
_YEAR_OR_SPAN = re.compile(r"(?:18|19|20)\d\d|.*\b(?:ago|days?|weeks?|months?|years?|hours?)\b.*|.*[天周月年]前", re.IGNORECASE)


class SpineRecognizer(EntityRecognizer):
    """Our rules as a Presidio recogniser; entity types are rules.CATEGORIES, the score is always 1."""

    def __init__(self, language: str, mode: str) -> None:
        super().__init__(list(CATEGORIES), name=f"SpineMed {mode} ({language})", supported_language=language)
        self._mode = mode

    def load(self) -> None:
        """Do nothing: word lists are read at first use."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002 (Presidio's signature)
    ) -> list[RecognizerResult]:
        """Find spans of ``text`` whose category is one of ``entities``."""
        spans = deidentify_text(text, self.supported_language, self._mode).spans
        return [RecognizerResult(span.category, span.start, span.end, 1.0) for span in spans if span.category in entities]


def presidio_recognizers(languages: Sequence[str] = ("en", "zh"), mode: str = "strict") -> list[EntityRecognizer]:
    """Make a recogniser for each language, for ``AnalyzerEngine.registry.add_recognizer``; the NLP engine "no_op" suffices."""
    return [SpineRecognizer(language, mode) for language in languages]


class NameModel(HuggingFaceNerRecognizer):
    """A token-classification model of a local folder; ``find`` gives the spans that it adds to those of the rules."""

    ner_pipeline: Any

    def __init__(self, folder: Path, threshold: float) -> None:
        labels = {label: category for category, names in _CATEGORIES.items() for label in names}
        self._folder = folder
        super().__init__(name=folder.name, model_name=str(folder), label_mapping=labels, threshold=threshold, device="cpu")

    def load(self) -> None:
        """Load the model from the folder alone: no download, no pickle, none of the model's own code."""
        self.ner_pipeline = pipeline(
            "token-classification",
            model=AutoModelForTokenClassification.from_pretrained(self._folder, local_files_only=True, use_safetensors=True),
            tokenizer=AutoTokenizer.from_pretrained(self._folder, local_files_only=True),
            aggregation_strategy="simple",
            device=-1,
        )

    def _predict_chunk(self, chunk_text: str) -> list[RecognizerResult]:
        """Do as Presidio does, but raise if the model fails: Presidio only warns, and the text passes as clean."""
        results = []
        for found in self.ner_pipeline(chunk_text):
            label = self._normalize_label(found["entity_group"]).upper()
            if label not in _NOT_IDENTIFYING and found["score"] >= self.threshold:
                category = self.label_mapping.get(label, "OTHER_ID")
                results.append(RecognizerResult(category, found["start"], found["end"], float(found["score"])))
        return results

    def find(self, text: str) -> list[Span]:
        """Find what the model takes for an identifier, except bare years and spans of time."""
        return [
            Span(found.start, found.end, found.entity_type)
            for found in self.analyze(text, [])
            if not (found.entity_type == "DATE" and _YEAR_OR_SPAN.fullmatch(text[found.start : found.end]))
        ]


def load_name_model(folder: Path, threshold: float = 0.5) -> NameModel:
    """Load a transformers token-classification model (config, tokenizer, safetensors) for ``deidentify_text(names=)``.

    Raises FileNotFoundError if the folder holds no such model: a name on a hub is no folder, and hospital text stays here.
    """
    missing = [name for name in ("config.json", "*.safetensors") if not list(folder.glob(name))]
    if missing:
        raise FileNotFoundError(
            f"{folder}: no {' and no '.join(missing)}; give the folder of a transformers model on this machine"
        )
    return NameModel(folder, threshold)
