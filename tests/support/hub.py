"""A Hugging Face Hub in memory on the loopback interface: what upload_folder, create_tag and snapshot_download need.

Protocol: repositories with commits, branches and tags; small files travel in the commit, large ones as LFS objects.
"""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".png", ".jpg")


class Repository:
    def __init__(self, private: bool):
        self.private = private
        self.commits: dict[str, dict[str, bytes]] = {"0" * 40: {}}
        self.refs = {"main": "0" * 40}

    def resolve(self, revision: str) -> str | None:
        return self.refs.get(revision, revision if revision in self.commits else None)


class Hub:
    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        hub = self

        class Handler(_Handler):
            state = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        pass

    def answer(self) -> None:
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "whoami-v2"]:
            return self._json({"type": "user", "name": "me", "orgs": []})
        if parts[:2] == ["api", "validate-yaml"]:
            return self._json({"errors": [], "warnings": []})
        if parts[:3] == ["api", "repos", "create"]:
            return self._create(json.loads(body))
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._lfs_batch(json.loads(body))
        if parts[0] == "lfs":
            self.state.objects[parts[1]] = body
            return self._json({})
        if parts[:2] == ["api", "models"]:
            return self._model("/".join(parts[2:4]), parts[4:], body)
        if len(parts) > 4 and parts[2] == "resolve":
            return self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        return self._json({"error": "unknown"}, 404)

    do_GET = do_POST = do_PUT = do_HEAD = answer

    def _create(self, wanted: dict) -> None:
        name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        if name in self.state.repositories:
            return self._json({"error": "You already created this repo"}, 409)
        # Newer clients say "visibility", older ones "private".
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.state.repositories[name] = Repository(private)
        return self._json({"url": f"{self.state.address}/{name}", "name": name, "id": "1"})

    def _model(self, name: str, rest: list[str], body: bytes) -> None:
        repository = self.state.repositories.get(name)
        if repository is None:
            return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        action, revision = rest[0] if rest else "revision", rest[1] if len(rest) > 1 else "main"
        if action == "preupload":
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular"} for f in files]
            return self._json({"files": [{**mode, "shouldIgnore": False, "oid": None} for mode in modes]})
        if action == "commit":
            return self._commit(name, repository, revision, body)
        if action == "tag":
            repository.refs[json.loads(body)["tag"]] = repository.resolve(revision) or ""
            return self._json({})
        commit = repository.resolve(revision)
        if commit is None:
            return self._json({"error": "Invalid revision"}, 404, {"X-Error-Code": "RevisionNotFound"})
        files = repository.commits[commit]
        if action == "tree":
            folder = "".join(f"{part}/" for part in rest[2:])
            listed = {path: data for path, data in files.items() if path.startswith(folder)}
            if folder and not listed:
                return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return self._json([{"type": "file", "oid": _digest(d), "size": len(d), "path": p} for p, d in listed.items()])
        siblings = [{"rfilename": path} for path in sorted(files)]
        return self._json(
            {"_id": "1", "id": name, "sha": commit, "private": repository.private, "siblings": siblings, "tags": []}
        )

    def _commit(self, name: str, repository: Repository, branch: str, body: bytes) -> None:
        files = dict(repository.commits[repository.refs[branch]])
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            elif entry["key"] == "lfsFile":
                files[entry["value"]["path"]] = self.state.objects[entry["value"]["oid"]]
        commit = _digest(body)
        repository.commits[commit], repository.refs[branch] = files, commit
        self._json({"success": True, "commitOid": commit, "commitUrl": f"{self.state.address}/{name}/commit/{commit}"})

    def _lfs_batch(self, wanted: dict) -> None:
        objects = [{**o, "actions": {"upload": {"href": f"{self.state.address}/lfs/{o['oid']}"}}} for o in wanted["objects"]]
        self._json({"transfer": "basic", "objects": objects})

    def _file(self, name: str, revision: str, path: str) -> None:
        repository = self.state.repositories[name]
        commit = repository.resolve(revision)
        data = repository.commits.get(commit or "", {}).get(path)
        if data is None:
            return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        return self._send(data, 200, {"X-Repo-Commit": commit or "", "ETag": f'"{_digest(data)}"'})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _json(self, value, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), code, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, data: bytes, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _digest(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
