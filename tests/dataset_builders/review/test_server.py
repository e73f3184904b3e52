import itertools
import re

import pytest
from starlette.testclient import TestClient

from dataset_builders.review.decisions import DecisionLog, read_decisions
from dataset_builders.review.desk import Desk
from dataset_builders.review.folder import renew_token
from dataset_builders.review.images import ScaledImages
from dataset_builders.review.reasons import load_reasons
from dataset_builders.review.server import PAGE, build_app, check_address
from dataset_builders.review.sessions import IDLE, Sessions
from tests.support.items import make_item
from tests.support.review import HOSTILE, make_desk, make_study, make_viewed

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
keys = (f"key-{number:08d}" for number in itertools.count())


class Server:
    """A review with its server, called without a socket."""

    def __init__(self, folder, clock=None):
        self.store, items, slices = make_viewed(folder)
        self.study = make_study(folder / "review", items, slices=slices, reviewers=3, overlap=0)
        lines = (folder / "review/tokens.csv").read_text().splitlines()[1:]
        self.tokens = dict(line.split(",")[::2] for line in lines)
        self.clock = clock or {}
        self.start()

    def start(self):
        self.desk = Desk(self.study, DecisionLog(self.study.log), load_reasons())
        images = ScaledImages(self.store, self.study.folder / "scaled")
        sessions = Sessions(self.study.folder, **self.clock)
        self.app = build_app(self.desk, sessions, images, HOSTS)

    def client(self, **options):
        return TestClient(self.app, base_url="http://127.0.0.1:8400", **options)

    def logged_in(self, name):
        client = self.client()
        assert client.post("/api/login", json={"token": self.tokens[name]}).json() == {"reviewer": name}
        return client

    def rater(self, item):
        return self.logged_in(self.study.raters[item][0])

    def judgement(self, item, verdict="accept", **changes):
        sha256 = self.study.hashes[item]
        return {"key": next(keys), "item": item, "item_sha256": sha256, "stage": "first", "verdict": verdict, **changes}


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.desk.log.close()


def test_a_reviewer_logs_in_opens_decides_and_logs_out(server):
    client = server.rater("shown")
    session = client.get("/api/session").json()
    assert [task["verdict"] for task in session["tasks"]] == [None] * len(session["tasks"])
    assert {"unsafe_omission", "not_decidable"} <= {reason["code"] for reason in session["reasons"]}
    answer = client.post("/api/decisions", json=server.judgement("shown")).json()
    assert {"item": "shown", "stage": "first", "verdict": "accept"} in answer["tasks"]
    client.post("/api/logout")
    assert client.get("/api/session").json()["error"] == "not_logged_in"


def test_an_item_comes_with_its_source_its_quotes_and_the_slices_around_its_image(server):
    item = server.rater("shown").get("/api/items/shown").json()
    quote = item["quotes"][0]
    assert item["context"][0][quote["start"] : quote["end"]] == "The L4 body is wedged "
    assert [image["locator"] for image in item["slices"]] == [f"sagittal slice {n} of 3" for n in (1, 2, 3)]
    assert item["images"][0] == [item["slices"][1]["sha256"]]


def test_markup_of_an_item_is_sent_as_text_in_json(server):
    response = server.rater("hostile").get("/api/items/hostile")
    assert response.headers["content-type"] == "application/json" and response.headers["x-content-type-options"] == "nosniff"
    assert response.json()["fields"]["options"][0] == HOSTILE


def test_the_page_makes_no_html_of_text_and_asks_nothing_of_other_hosts(server):
    client = server.client()
    for name in ("", "page/page.js", "page/viewer.js", "page/page.css", "page/words.json"):
        response = client.get(f"/{name}")
        policy = response.headers["content-security-policy"]
        assert (
            response.status_code == 200
            and policy.startswith("default-src 'none'; script-src 'self'")
            and "unsafe" not in policy
        )
        assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", response.text)
    assert client.get("/page/report.html").status_code == client.get("/page/..%2Fserver.py").status_code == 404


def test_both_languages_have_every_word(server):
    words = server.client().get("/page/words.json").json()
    assert set(words["en"]) == {name for name in words["zh"] if not name.startswith("error.")}
    used = set(re.findall(r'data-word="(\w+)"', (PAGE / "page.html").read_text()))
    used |= set(re.findall(r'word\("(\w+)"\)', (PAGE / "page.js").read_text()))
    used |= set(re.findall(r'act\("(\w+)"', (PAGE / "viewer.js").read_text()))
    assert len(used) > 40 and used <= set(words["en"])


def test_an_image_is_shown_to_reviewers_only(server):
    sha256 = server.study.items["shown"].images[0]
    response = server.rater("shown").get(f"/api/images/{sha256}")
    assert response.headers["content-type"] == "image/png" and response.content.startswith(b"\x89PNG")
    assert server.client().get(f"/api/images/{sha256}").json()["error"] == "not_logged_in"
    assert server.rater("chinese").get("/api/images/" + "0" * 64).json()["error"] == "image_missing"


def test_a_wrong_token_is_refused(server):
    response = server.client().post("/api/login", json={"token": "guess"})
    assert (response.status_code, response.json()["error"]) == (401, "wrong_token")


def test_a_token_that_two_use_at_once_is_a_named_error_until_one_takes_over(server):
    first = server.logged_in("R01")
    second = server.client()
    token = {"token": server.tokens["R01"]}
    response = second.post("/api/login", json=token)
    assert (response.status_code, response.json()["error"]) == (409, "token_in_use") and "R01" in response.json()["message"]
    assert first.get("/api/session").status_code == 200
    assert second.post("/api/login", json={**token, "take_over": True}).status_code == 200
    assert first.get("/api/session").json()["error"] == "session_replaced"
    assert second.get("/api/session").json()["reviewer"] == "R01"


def test_a_window_that_was_closed_frees_its_token_after_a_while(tmp_path):
    now = [1000.0]
    server = Server(tmp_path, {"clock": lambda: now[0]})
    server.logged_in("R01")
    now[0] += IDLE + 1
    server.logged_in("R01")
    server.desk.log.close()


def test_a_new_token_ends_the_old_one_and_its_session(server):
    client = server.logged_in("R01")
    token = renew_token(server.study.folder, "R01")
    assert server.client().post("/api/login", json={"token": server.tokens["R01"]}).json()["error"] == "wrong_token"
    assert client.get("/api/session").json()["error"] == "not_logged_in"
    assert server.client().post("/api/login", json={"token": token, "take_over": True}).json() == {"reviewer": "R01"}


def test_after_a_restart_reviewers_are_logged_in_and_find_what_they_did(server):
    client = server.rater("shown")
    judgement = server.judgement("shown", "remove", reasons=["not_decidable"])
    client.post("/api/decisions", json=judgement)
    server.desk.log.close()
    server.start()
    cookies = dict(client.cookies)
    again = server.client(cookies=cookies)
    assert [task["verdict"] for task in again.get("/api/session").json()["tasks"] if task["item"] == "shown"] == ["remove"]
    again.post("/api/decisions", json=judgement)  # the page sends what it got no answer to
    assert len(read_decisions(server.study.log)) == 1


def test_a_decision_that_the_disk_does_not_take_is_said_and_not_counted(server, monkeypatch):
    client = server.rater("shown")

    def full(decisions):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(server.desk.log, "extend", full)
    response = client.post("/api/decisions", json=server.judgement("shown"))
    assert (response.status_code, response.json()["error"]) == (507, "not_saved")
    monkeypatch.undo()
    assert {task["verdict"] for task in client.get("/api/session").json()["tasks"]} == {None}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"verdict": "maybe"}, "bad_request"),
        ({"surprise": 1}, "bad_request"),
        ({"key": "short"}, "bad_request"),
        ({"item": "chinese" * 5}, "unknown_item"),
        ({"verdict": "remove"}, "reason_missing"),
        ({"verdict": "remove", "reasons": ["boredom"]}, "unknown_reason"),
    ],
)
def test_bad_input_is_a_named_error(server, changes, name):
    response = server.rater("shown").post("/api/decisions", json=server.judgement("shown") | changes)
    assert response.status_code in (404, 422) and response.json()["error"] == name and response.json()["message"]


def test_undo_gives_the_item_back(server):
    client = server.rater("shown")
    client.post("/api/decisions", json=server.judgement("shown"))
    assert client.post("/api/undo", json={"key": next(keys)}).json()["item"] == "shown"
    assert client.post("/api/undo", json={"key": next(keys)}).json()["error"] == "nothing_to_undo"


def test_a_page_of_another_site_is_refused(server):
    client = server.rater("shown")
    judgement = server.judgement("shown")
    foreign = client.post("/api/decisions", json=judgement, headers={"Origin": "http://evil.example"})
    rebound = client.get("/api/session", headers={"Host": "evil.example:8400"})
    assert {foreign.json()["error"], rebound.json()["error"]} == {"wrong_host"} and not server.desk.log.decisions
    assert client.post("/api/decisions", json=judgement, headers={"Origin": "http://127.0.0.1:8400"}).status_code == 200


def test_the_cookie_is_for_this_page_alone(server):
    cookie = server.client().post("/api/login", json={"token": server.tokens["R02"]}).headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie


def test_hospital_items_are_shown_on_this_machine_only(tmp_path):
    desk = make_desk(tmp_path, [make_item("note", kind="hospital_case"), make_item("open")], overlap=0)
    for host in ("127.0.0.1", "localhost", "::1", "127.8.0.1"):
        check_address(desk, host, None, None)
    for host in ("192.168.1.4", "review.hospital.example"):
        with pytest.raises(ValueError, match="1 items of this review are of hospital cases"):
            check_address(desk, host, tmp_path / "cert.pem", tmp_path / "key.pem")


def test_off_this_machine_tokens_go_by_tls_only(tmp_path):
    desk = make_desk(tmp_path)
    with pytest.raises(ValueError, match="--certificate and --key"):
        check_address(desk, "192.168.1.4", None, None)
    with pytest.raises(ValueError, match="by which browsers call"):
        check_address(desk, "0.0.0.0", tmp_path / "cert.pem", tmp_path / "key.pem")
    check_address(desk, "192.168.1.4", tmp_path / "cert.pem", tmp_path / "key.pem")
