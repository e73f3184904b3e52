"""Label, draft and revise by models, one role a stage and a class of source (models.example.yaml).

    external   textbooks, guidelines, consensus, articles, case reports: calls for each passage, English and Chinese
    open_data  labelled imaging: calls for each case, English and Chinese
    hospital   de-identified cases: calls for each case in its language, private: only to a trusted endpoint
               (modeling.chat_client)

A call asks for one task in one language, by a prompt file of its own (prompts.py).

Question banks and stage-1 sets are ready-made questions, and a class without a model is written by the embedded rules.
What a document says is data: it is delimited, and a reply is only ever read as strict JSON (replies.py).
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset_builders.document import Document, Reject
from dataset_builders.generate.models.classify import ROLES, classify_by_models
from dataset_builders.generate.models.draft import TASKS, draft_by_models
from dataset_builders.generate.models.prompts import check_pairs, load_prompts
from dataset_builders.generate.models.revise import revise_by_models
from dataset_builders.item import Item
from dataset_builders.source_kinds import MODEL_CLASSES
from modeling.chat_client import Budget, ChatClient, ChatError, is_trusted, load_chat_clients

MAX_AT_ONCE = 256
"""Most records that one worker has under way at once."""
_ROLES = {"classified": ROLES, "drafts": ("draft",), "revised": ("revise",)}
"""Step of the build -> the roles that it asks."""


@dataclass(frozen=True, slots=True)
class Models:
    """A generator (see generate.Generator) that asks a model for each stage and class of source. Pickles.

    clients   "<role>.<class of source>" ("draft.external") -> the client that answers it.
    """

    clients: Mapping[str, ChatClient]

    @property
    def code(self) -> Mapping[str, tuple[str, ...]]:
        return {
            "classified": ("generate.models.classify",),
            "drafts": ("generate.models.draft",),
            "revised": ("generate.models.revise",),
        }

    @property
    def settings(self) -> Mapping[str, dict[str, str]]:
        """Return step of the build -> role -> the model that answers it."""
        return {
            step: {role: client.endpoint.model for role, client in self.clients.items() if role.partition(".")[0] in names}
            for step, names in _ROLES.items()
        }

    @property
    def at_once(self) -> Mapping[str, int]:
        """Return step of the build -> records to have under way at once: as many as its endpoints take requests."""
        taken = {
            step: sum(
                {
                    id(c): c.endpoint.max_in_flight for role, c in self.clients.items() if role.partition(".")[0] in names
                }.values()
            )
            for step, names in _ROLES.items()
        }
        return {step: min(max(1, count), MAX_AT_ONCE) for step, count in taken.items()}

    def classify(self, document: Document, image_of: Callable[[str], bytes]) -> Iterator[Document | Reject]:
        """Yield the images that leave and the unusable answers as Rejects, then the labelled document."""
        labelled, rejects = classify_by_models(self.clients, document, image_of)
        yield from rejects
        yield labelled

    def draft(self, document: Document, image_of: Callable[[str], bytes]) -> Iterator[Item | Reject]:
        yield from draft_by_models(self.clients, document, image_of)

    def revise(self, item: Item, image_of: Callable[[str], bytes]) -> Item | Reject:
        return revise_by_models(self.clients, item, image_of)


def load_models(path: Path, budget: Budget | None = None) -> Models:
    """Read the generator of a models.yaml; ``budget`` limits what the build spends on it.

    Raises ValueError if no role of a build is given, if a role names no class of source or an unknown one, if a hospital role's
    endpoint is not trusted, if a key is not set or not readable, if a limit of cost meets no price, and for a prompt file that
    cannot be used: all before the first call.
    """
    clients = load_chat_clients(path, budget)
    for role in ROLES:
        if role in clients:
            raise ValueError(f"{path}: roles.{role} must name an endpoint a class of source, as roles.draft does")
    if not any(role.startswith(("draft.", *(f"{role}." for role in ROLES))) for role in clients):
        raise ValueError(f"{path}: roles.draft must name an endpoint for external, open_data or hospital")
    for role in clients:
        name, _, source_class = role.partition(".")
        known = MODEL_CLASSES if name in ROLES else tuple(TASKS)
        if name in ("draft", "revise", *ROLES) and source_class and source_class not in known:
            raise ValueError(
                f"{path}: roles.{name} has no class of source {source_class!r}; it may name {', '.join(known)} "
                "(MODEL_CLASSES of dataset_builders/source_kinds.py)"
            )
    for role, client in clients.items():
        host = client.host
        if role.endswith(".hospital") and not is_trusted(host, client.trusted_hosts):
            raise ValueError(
                f"{path}: role {role} would send hospital cases to {host}; list it under trusted_hosts if it is inside"
            )
    check_pairs(load_prompts(), TASKS)
    asked = {role: client for role, client in clients.items() if role.partition(".")[0] in ("draft", "revise", *ROLES)}
    for role, client in asked.items():
        try:
            client.check_key()
        except ChatError as error:
            raise ValueError(f"{path}: role {role}: {error.detail}") from None
    priced = any(client.endpoint.price_input or client.endpoint.price_output for client in asked.values())
    if budget and budget.max_cost is not None and not priced:
        raise ValueError(f"{path}: --max-cost needs price_input and price_output of the endpoints; none has them")
    return Models(asked)


def make_budget(max_calls: int | None, max_cost: float | None) -> Budget | None:
    """Make the budget of a new run; None if it has no limit."""
    return None if max_calls is None and max_cost is None else Budget(uuid.uuid4().hex, max_calls, max_cost)
