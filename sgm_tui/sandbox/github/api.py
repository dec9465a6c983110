"""GitHub's API over HTTP: REST under `/v3`, GraphQL beside it, with paging, ETags, quotas and refusals as GitHub's."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from email.utils import format_datetime
from typing import Any

import msgspec
from aiohttp import web
from yarl import URL

from sgm_tui.sandbox.github.call import Call, Document, Handler, Reply, Rows
from sgm_tui.sandbox.github.commits import Commits
from sgm_tui.sandbox.github.git_routes import GIT_ROUTES
from sgm_tui.sandbox.github.graphql import answer
from sgm_tui.sandbox.github.pull_json import Documents
from sgm_tui.sandbox.github.pull_requests import OPERATOR
from sgm_tui.sandbox.github.pull_routes import PULL_ROUTES
from sgm_tui.sandbox.github.pulls import GitHubError
from sgm_tui.sandbox.github.service_repositories import compare
from sgm_tui.sandbox.github.state import GitHub

_LIMIT = 5000
_HOUR = 3600
_DOCUMENTATION = "https://docs.github.com/rest"
_encode = msgspec.json.Encoder().encode

_Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Quota:
    """Count the requests of one token within the current hour."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._hour = 0
        self.used = 0

    def spend(self) -> None:
        """Count one more request; 304 answers are free, as at GitHub."""
        self._start_new_hour()
        self.used = min(_LIMIT, self.used + 1)

    def _start_new_hour(self) -> int:
        hour = int(self._github.clock.wall().timestamp()) // _HOUR
        if hour != self._hour:
            self._hour, self.used = hour, 0
        return (hour + 1) * _HOUR

    def document(self) -> Document:
        """Return the quota as `/rate_limit` reports it."""
        reset = self._start_new_hour()
        return {"limit": _LIMIT, "remaining": _LIMIT - self.used, "reset": reset, "used": self.used, "resource": "core"}

    def headers(self) -> dict[str, str]:
        """Return the `X-RateLimit-*` headers that every answer carries."""
        limits = {f"X-RateLimit-{name.capitalize()}": str(value) for name, value in self.document().items()}
        # The reset is a moment of the sandbox's own clock; so is the date, that one can be told from the other.
        date = format_datetime(self._github.clock.wall().astimezone(UTC), usegmt=True)
        return {"X-OAuth-Scopes": "repo, read:org", "Date": date, **limits}


def routes(github: GitHub) -> web.Application:
    """Return the application to mount with `add_subapp("/api", …)`; the server checks who may call it."""
    commits = Commits(github.repository)
    quota = _Quota(github)
    application = web.Application(middlewares=[_translate_errors])
    prefix = f"/v3/repos/{github.name}"
    for method, path, handler in (*PULL_ROUTES, *GIT_ROUTES):
        application.router.add_route(method, f"{prefix}{path}", _make_endpoint(github, commits, quota, handler))
    for path, handler in _PLAIN.items():
        application.router.add_get(f"/v3{path}", _make_endpoint(github, commits, quota, handler))

    def limits(_call: Call) -> Reply:
        document = quota.document()
        return Reply({"resources": {"core": document, "search": document, "graphql": document}, "rate": document})

    async def graphql(request: web.Request) -> web.Response:
        body = await _body(request)
        variables = body.get("variables")
        reply = answer(github, str(body.get("query", "")), variables if isinstance(variables, dict) else {})
        return web.Response(body=_encode(reply), content_type="application/json", headers=quota.headers())

    application.router.add_get("/v3/rate_limit", _make_endpoint(github, commits, quota, limits))
    application.router.add_post("/graphql", graphql)
    return application


def _operator(call: Call) -> Reply:
    return Reply(call.write.user(OPERATOR, full=True))


def _user(call: Call) -> Reply:
    login = call.match["login"]
    if login not in call.github.people:
        raise GitHubError(404, "Not Found")
    return Reply(call.write.user(login, full=True))


def _team(call: Call) -> Reply:
    return Reply(call.write.team(call.match["slug"]))


def _members(call: Call) -> Reply:
    return Reply(Rows(call.github.pulls.reviewers.team(call.match["slug"]), call.write.user))


_PLAIN: Mapping[str, Handler] = {
    "": lambda _: Reply({"current_user_url": "/user"}),
    "/user": _operator,
    "/users/{login}": _user,
    "/orgs/{organization}/teams/{slug}": _team,
    "/orgs/{organization}/teams/{slug}/members": _members,
    "/repos/{owner}/{service}/compare/{base:[^/]+?}...{head:[^/]+}": compare,
}


def _make_endpoint(github: GitHub, commits: Commits, quota: _Quota, handler: Handler) -> _Endpoint:
    async def handle(request: web.Request) -> web.StreamResponse:
        base = f"{request.url.origin()}{request.path.partition('/v3')[0]}/v3"
        body = await _body(request) if request.can_read_body else {}
        call = Call(github, Documents(github, commits, base), request.match_info, request.query, body)
        reply = handler(call)
        document, headers = _paginate(request, reply.body) if isinstance(reply.body, Rows) else (reply.body, {})
        return _response(request, quota, Reply(document, reply.status), headers)

    return handle


async def _body(request: web.Request) -> dict[str, Any]:
    data = await request.read()
    if not data:
        return {}
    try:
        document = msgspec.json.decode(data)
    except msgspec.DecodeError:
        raise GitHubError(400, "Problems parsing JSON") from None
    if isinstance(document, list):
        # Lists of labels may come without the object around them.
        return {"labels": document}
    if not isinstance(document, dict):
        raise GitHubError(400, "Body should be a JSON object")
    return document


def _paginate(request: web.Request, rows: Rows) -> tuple[Document | list[Document], dict[str, str]]:
    """Return one page of a list, with `Link` headers to the other pages."""
    size = min(100, max(1, _number(request, "per_page", 30)))
    page = max(1, _number(request, "page", 1))
    last = max(1, -(-len(rows.items) // size))
    written = [rows.write(one) for one in rows.items[(page - 1) * size : page * size]]
    links: dict[str, int] = {}
    if page > 1:
        links |= {"prev": min(page - 1, last), "first": 1}
    if page < last:
        links |= {"next": page + 1, "last": last}
    url = URL(str(request.url))
    link = ", ".join(f'<{url.update_query(page=str(number))}>; rel="{name}"' for name, number in links.items())
    headers = {"Link": link} if link else {}
    return ({"total_count": len(rows.items), rows.under: written} if rows.under else written), headers


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdigit() else default


def _response(request: web.Request, quota: _Quota, reply: Reply, headers: Mapping[str, str]) -> web.Response:
    if reply.body is None:
        quota.spend()
        return web.Response(status=reply.status, headers=quota.headers())
    data = _encode(reply.body)
    tag = f'W/"{hashlib.sha256(data).hexdigest()}"'
    if request.method == "GET" and reply.status == 200:
        if tag in {one.strip() for one in request.headers.get("If-None-Match", "").split(",")}:
            return web.Response(status=304, headers={"ETag": tag, **quota.headers()})
        headers = {**headers, "ETag": tag, "Cache-Control": "private, max-age=60, s-maxage=60"}
    quota.spend()
    return web.Response(
        body=data,
        status=reply.status,
        headers={"Content-Type": "application/json; charset=utf-8", **headers, **quota.headers()},
    )


@web.middleware
async def _translate_errors(request: web.Request, handler: _Endpoint) -> web.StreamResponse:
    """Turn refusals and unknown paths into errors worded as GitHub words them."""
    try:
        return await handler(request)
    except GitHubError as error:
        return _refusal(error)
    except web.HTTPException as error:
        return _refusal(GitHubError(404 if error.status in {404, 405} else error.status, "Not Found"))


def _refusal(error: GitHubError) -> web.Response:
    document: Document = {"message": error.message}
    if error.errors:
        document["errors"] = error.errors
    document |= {"documentation_url": _DOCUMENTATION, "status": str(error.status)}
    return web.Response(body=_encode(document), status=error.status, content_type="application/json")
