"""The query engine against known samples, and against a real Prometheus on the same samples where there is one."""

from __future__ import annotations

import json
import math
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from promql_samples import BEGIN, END, Samples, openmetrics

from sgm_tui.sandbox.promql.engine import PromqlError, evaluate_instant, evaluate_range

SOURCE = Samples()


def values(query: str, at: float = END) -> dict[str, float]:
    """The vector by its labels, written short."""
    return {
        ",".join(f"{name}={value}" for name, value in labels): number
        for labels, number in evaluate_instant(SOURCE, query, at).vector
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum by (service) (rate(http_requests_total{hash='aaa',code='200'}[5m]))",
         {"service=cart": 12.0, "service=catalog": 40.0, "service=search": 3.5}),
        ("increase(http_requests_total{service='cart',hash='aaa',code='200'}[1m])",
         {"code=200,hash=aaa,namespace=app-cart,service=cart": 720.0}),
        ("irate(http_requests_total{service='cart',hash='bbb',code='200'}[1m])",
         {"code=200,hash=bbb,namespace=app-cart,service=cart": 1.2}),
        ("count(up)", {"": 2.0}),
        ("count(up offset 20m)", {"": 3.0}),
        ("sum(up) by (job) == 2", {}),
        ("sum(up offset 20m) by (job) >= bool 1", {"job=cart": 1.0, "job=search": 1.0}),
        ("1 + 2 * 3 ^ 2", {"": 19.0}),
        ("histogram_quantile(0.9, sum by (service, le) (rate(http_request_duration_seconds_bucket[5m]))) > 0",
         {"service=cart": 0.25, "service=catalog": 0.25}),
        ("absent(nothing{job='x',env=~'a'})", {"job=x": 1.0}),
        ("topk(1, sum by (service) (rate(http_requests_total[5m])))", {"service=catalog": 46.4}),
        ("sum by (team) (rate(http_requests_total{hash='aaa',code='200'}[5m]) * on (service) group_left (team) team)",
         {"team=shop": 52.0, "team=discovery": 3.5}),
        ("clamp(temperature{room='a'}, 0, 1)", {"room=a": 1.0}),
        ("vector(3) unless vector(2)", {}),
        ("scalar(nothing) != bool 1", {"": 1.0}),
        ("label_replace(team{service='cart'}, 'owner', '$1-team', 'team', '(.*)')",
         {"__name__=team,owner=shop-team,service=cart,team=shop": 1.0}),
    ],
)  # fmt: skip
def test_known_queries_have_known_answers(query: str, expected: dict[str, float]) -> None:
    assert values(query) == pytest.approx(expected, rel=1e-9)


def test_a_counter_that_fell_was_reset() -> None:
    assert values("increase(http_requests_total{service='cart',hash='aaa',code='500'}[1h])").popitem()[1] > 400


def test_a_series_ends_five_minutes_after_its_last_sample() -> None:
    last = END - 60 * 15
    assert values("up{job='search'}", last + 300)
    assert not values("up{job='search'}", last + 301)


def test_a_range_query_leaves_out_the_steps_without_data() -> None:
    answer = evaluate_range(SOURCE, "up{job='search'}", END - 1800, END, 300)
    assert answer.kind == "matrix"
    assert [at for _, points in answer.matrix for at, _ in points] == [
        END - back for back in (1800, 1500, 1200, 900, 600)
    ]


def test_what_yields_no_vector_is_no_range_query() -> None:
    with pytest.raises(PromqlError, match="invalid expression type"):
        evaluate_range(SOURCE, "up[5m]", BEGIN, END, 60)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("team * on (team) team", "many-to-many matching not allowed: matching labels must be unique on one side"),
        ("sum by (service) (team) * on () group_left team", "found duplicate series for the match group {}"),
        ("team * on (team) sum by (team) (team)", "multiple matches for labels: many-to-one matching must be explicit"),
        ("label_replace(team, 'service', 'x', 'team', '.*')", "vector cannot contain metrics with the same labelset"),
        ("label_replace(team, 'a', 'x', 'team', '(')", "invalid regular expression in label_replace()"),
        ("sin(temperature)", "is not supported"),
    ],
)
def test_what_cannot_be_evaluated_is_an_execution_error(query: str, message: str) -> None:
    with pytest.raises(PromqlError) as refused:
        evaluate_instant(SOURCE, query, END)
    assert refused.value.kind == "execution"
    assert message in refused.value.message


QUERIES = """
up
up == 1
up == bool 1
temperature
-temperature
abs(temperature)
ceil(temperature) + floor(temperature)
round(temperature, 0.5)
sqrt(temperature)
ln(temperature)
exp(temperature)
sgn(temperature)
clamp_min(temperature, 0)
clamp_max(temperature, 0)
temperature % 3
3 % temperature
temperature ^ 2
temperature > 0
temperature > bool 0
0 < temperature
1 / 0
-1 / 0
0 / 0
temperature / 0
sum(temperature)
avg(temperature{room!="c"})
min(temperature)
max(temperature)
count(temperature)
stddev(temperature{room!="c"})
stdvar(temperature{room!="c"})
group(temperature)
quantile(0.3, temperature{room!="c"})
topk(2, temperature{room!="c"})
bottomk(1, temperature{room!="c"})
count_values("value", up)
sum without (instance) (up)
sum by (job) (up)
sort(temperature)
sort_desc(temperature)
rate(http_requests_total[5m])
rate(http_requests_total[1m])
rate(http_requests_total[31s])
rate(http_requests_total[16s])
increase(http_requests_total[1h])
irate(http_requests_total[5m])
delta(temperature[10m])
idelta(temperature[10m])
deriv(temperature{room!="c"}[10m])
predict_linear(temperature{room!="c"}[10m], 600)
changes(up[10m])
resets(http_requests_total[1h])
avg_over_time(temperature[10m])
sum_over_time(up[10m])
min_over_time(temperature{room!="c"}[10m])
max_over_time(temperature{room!="c"}[10m])
count_over_time(temperature[10m])
last_over_time(temperature[10m])
present_over_time(temperature[10m])
stddev_over_time(temperature{room!="c"}[10m])
quantile_over_time(0.9, temperature{room!="c"}[10m])
absent_over_time(nothing{a="b"}[5m])
absent(up)
absent(nothing{a="b"})
histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[5m])))
histogram_quantile(0.5, http_request_duration_seconds_bucket)
histogram_quantile(2, http_request_duration_seconds_bucket)
sum(rate(http_requests_total{code!~"5.."}[1m])) / sum(rate(http_requests_total[1m]))
sum by (service) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m]))
sum by (service) (rate(http_requests_total{code="none"}[5m])) / sum by (service) (rate(http_requests_total[5m]))
up and on (job) up{instance="10.0.0.1:8080"}
up or temperature
up unless on (job) up{instance="10.0.0.1:8080"}
http_requests_total * on (service) group_left (team) team
team * on (service) group_right (team) sum by (service, code) (http_requests_total)
team - ignoring (team) sum by (service) (http_requests_total)
http_requests_total offset 30m
rate(http_requests_total[5m] offset 30m)
max_over_time(rate(http_requests_total{code="200"}[1m])[10m:1m])
avg_over_time(up[10m:30s])
count_over_time(up[10m:])
time()
timestamp(up)
time() - timestamp(up)
timestamp(up + 0)
hour()
minute(vector(1795440000))
day_of_week(vector(1795440000))
day_of_month(vector(1795440000))
month(vector(1795440000))
year(vector(1795440000))
days_in_month(vector(1795440000))
vector(1)
scalar(up{job="search"})
scalar(up)
label_replace(up, "host", "$1", "instance", "(.*):.*")
label_replace(up, "host", "fixed", "instance", "nomatch")
label_join(up, "whole", "-", "job", "instance")
up{instance=~"10.0.0.*"}
{__name__=~"te.*", room=""}
up{job!="cart"}
up{nothing=""}
up @ 1795441000
rate(http_requests_total[5m] @ 1795441000)
sum(up @ end())
1 > bool 2
temperature == temperature
temperature{room="a"} atan2 temperature{room="a"}
pi() * 2
"text"
up[1m]
""".strip().splitlines()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that holds the same samples."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("prometheus and promtool are not installed")
    directory = tmp_path_factory.mktemp("prometheus")
    (directory / "samples").write_text(openmetrics())
    (directory / "config.yml").write_text("global: {}\n")
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "samples", "data"]
    subprocess.run(blocks, cwd=directory, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["prometheus", "--config.file=config.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y",
         f"--web.listen-address=127.0.0.1:{port}"],
        cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/-/ready")
        yield url
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail(f"{url} did not become ready")


def _real(url: str, **parameters: str | float) -> dict[str, Any]:
    path = "query_range" if "step" in parameters else "query"
    address = f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            found = json.load(error)
    return found


def _comparable(data: dict[str, Any]) -> Any:
    """Series in order, numbers as numbers."""
    if data["resultType"] in {"scalar", "string"}:
        return [_number(data["result"][1])]
    rows = []
    for one in data["result"]:
        points = one["values"] if "values" in one else [one["value"]]
        rows.append((sorted(one["metric"].items()), [(at, _number(value)) for at, value in points]))
    return sorted(rows, key=lambda row: str(row[0]))


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(_same(*pair) for pair in zip(ours, theirs, strict=True))
    if isinstance(ours, float) and isinstance(theirs, float):
        return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return bool(ours == theirs)


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_answers_as_a_real_prometheus_does(prometheus: str, query: str) -> None:
    for at in (END, END - 7.0, END - 1333.5):
        theirs = _real(prometheus, query=query, time=at)
        ours = _comparable(evaluate_instant(SOURCE, query, at).data())
        assert theirs["status"] == "success", theirs
        assert _same(ours, _comparable(theirs["data"])), (at, ours, _comparable(theirs["data"]))


@pytest.mark.parametrize("query", [one for one in QUERIES if one not in {'"text"', "up[1m]"}])
def test_every_range_query_answers_as_a_real_prometheus_does(prometheus: str, query: str) -> None:
    theirs = _real(prometheus, query=query, start=END - 1800, end=END, step=112)
    ours = _comparable(evaluate_range(SOURCE, query, END - 1800, END, 112).data())
    assert theirs["status"] == "success", theirs
    assert _same(ours, _comparable(theirs["data"])), (ours, _comparable(theirs["data"]))
