"""Build the files of the embedded repository: the bundled ones, grown or cut to a size.

The bundled services and clusters come first and are unchanged; further ones are variations with other names. The same
seed gives the same files and the same history, byte for byte.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path

from sgm_tui.resources import gitops_repository

Files = dict[str, bytes]

_SERVICE = re.compile(r"^(?:dev|staging|prod/[^/]+)/app-service/([^/]+)/")
_LOCATIONS = ("eu", "us", "ap", "sa", "me", "af", "ca", "uk", "in", "jp")
_FIRST = (
    "address", "audit", "basket", "billing", "booking", "budget", "campaign", "chat", "claims", "content", "coupon",
    "credit", "currency", "customer", "delivery", "deposit", "discount", "document", "event", "export", "feature",
    "feedback", "fraud", "gift", "image", "import", "invoice", "ledger", "loyalty", "media", "order", "partner",
    "points", "price", "profile", "refund", "report", "return", "risk", "session", "stock", "store", "supplier",
    "tariff", "tax", "template", "ticket", "tracking", "voucher", "wishlist",
)  # fmt: skip
_SECOND = ("api", "worker", "sync", "engine", "hub", "feed")
_STAGES = ("dev", "staging", "prod")


def bundled() -> Files:
    """Return path from the root → content of every file of the bundled repository."""
    root = gitops_repository()
    return {
        file.relative_to(root).as_posix(): file.read_bytes() for file in sorted(root.rglob("*")) if _is_seeded(file)
    }


def _is_seeded(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def seed(services: int | None = None, clusters: int | None = None, seed: str = "sgm") -> Files:
    """Return the files of a fleet of a size; None is the bundled size.

    Args:
        services: how many; fewer are the first by name, more are variations of the bundled ones.
        clusters: how many, at least 1; further ones are mostly prod, in further locations.
        seed: the seed of invented names and versions.
    """
    files = bundled()
    names = service_names(files)
    if services is not None:
        names = _resize_services(files, names, services, random.Random(f"{seed}:services"))
    if clusters is not None and clusters != len(_declared(files)):
        _resize_clusters(files, clusters)
    return dict(sorted(files.items()))


def service_names(files: Mapping[str, bytes]) -> list[str]:
    """Return the names of all services with a values file, sorted."""
    return sorted({match[1] for path in files if (match := _SERVICE.match(path))})


def _resize_services(files: Files, names: list[str], count: int, chance: random.Random) -> list[str]:
    for name in names[count:]:
        for path in [path for path in files if f"/app-service/{name}/" in path]:
            del files[path]
    remaining = names[:count]
    new_names = [f"{first}-{second}" for second in _SECOND for first in _FIRST]
    for index in range(count - len(remaining)):
        name = new_names[index] if index < len(new_names) else f"service-{index:04d}"
        _copy_service(files, names[index % len(names)], name, chance)
        remaining.append(name)
    return remaining


def _copy_service(files: Files, model: str, name: str, chance: random.Random) -> None:
    version = f"v{chance.randint(1, 6)}.{chance.randint(0, 30)}.{chance.randint(0, 9)}"
    for path in [path for path in files if f"/app-service/{model}/" in path]:
        text = files[path].decode()
        # A team with the name of its service keeps its name.
        text = re.sub(rf"(?m)(?<!^team: )\b{re.escape(model)}\b", name, text)
        text = re.sub(r"v\d+\.\d+\.\d+", version, text, count=1)
        files[path.replace(f"/app-service/{model}/", f"/app-service/{name}/")] = text.encode()
    owners = files["CODEOWNERS"].decode()
    lines = [line.replace(f"/{model}/", f"/{name}/") for line in owners.splitlines() if f"/{model}/" in line]
    head, marker, tail = owners.partition("\n# SRE and platform own prod")
    files["CODEOWNERS"] = (head + "\n".join(lines) + "\n" + marker + tail).encode()


def _declared(files: Mapping[str, bytes]) -> list[str]:
    return [path for path in files if path.startswith("argocd/clusters/")]


def _resize_clusters(files: Files, count: int) -> None:
    plan = _cluster_plan(count)
    bundled_names = {Path(path).stem for path in _declared(files)}
    for name in bundled_names - {name for name, _, _ in plan}:
        for path in [path for path in files if path.startswith(f"prod/{name}/") or Path(path).stem == name]:
            del files[path]
    for name, stage, location in plan:
        if name not in bundled_names:
            _add_cluster(files, name, stage, location)
    files["sgm.yaml"] = _with_clusters(files["sgm.yaml"].decode(), plan).encode()


def _cluster_plan(count: int) -> list[tuple[str, str, str]]:
    """Return name, stage and location of every cluster: the bundled ones first, then every eighth one not prod."""
    plan = [("dev", "eu1"), ("staging", "eu1"), ("prod", "eu1"), ("prod", "us1"), ("prod", "ap1")]
    numbers = dict.fromkeys(_STAGES, 1)
    regions = 3
    while len(plan) < count:
        position = len(plan)
        stage = "dev" if position % 16 == 7 else "staging" if position % 16 == 15 else "prod"
        if stage == "prod":
            plan.append((stage, f"{_LOCATIONS[regions % len(_LOCATIONS)]}{regions // len(_LOCATIONS) + 1}"))
            regions += 1
        else:
            numbers[stage] += 1
            plan.append((stage, f"us{numbers[stage] - 1}"))
    named = [(f"{stage}-{location}", stage, location) for stage, location in plan[:count]]
    return sorted(named, key=lambda one: _STAGES.index(one[1]))


def _add_cluster(files: Files, name: str, stage: str, location: str) -> None:
    model = "prod-eu1" if stage == "prod" else f"{stage}-eu1"
    declaration = files[f"argocd/clusters/{model}.yaml"].decode() if f"argocd/clusters/{model}.yaml" in files else ""
    text = declaration.replace(model, name).replace("location: eu1", f"location: {location}")
    files[f"argocd/clusters/{name}.yaml"] = text.encode()
    if stage == "prod":
        for path in [path for path in files if path.startswith("prod/prod-eu1/")]:
            files[path.replace("prod/prod-eu1/", f"prod/{name}/")] = files[path].replace(b"prod-eu1", name.encode())


def _with_clusters(config: str, plan: list[tuple[str, str, str]]) -> str:
    """Return the team's configuration with exactly these clusters."""
    lines: list[str] = []
    for stage in _STAGES:
        here = [(name, location) for name, one, location in plan if one == stage]
        if not here:
            continue
        protected = ["    protected: true"] if stage == "prod" else []
        lines += [f"  - name: {stage}", *protected, "    clusters:"]
        for name, location in here:
            lines += [f"      - name: {name}", f"        location: {location}"]
            lines += [f"        prometheus: https://prometheus.{name}.acme.example"]
    head, _, rest = config.partition("stages:")
    comment, _, _ = rest.partition("\n")
    _, marker, tail = rest.partition("\nargocd:")
    return _with_waves(f"{head}stages:{comment}\n" + "\n".join(lines) + f"\n{marker}{tail}", plan)


def _with_waves(config: str, plan: list[tuple[str, str, str]]) -> str:
    """Return a policy with waves for these clusters: one, then a few, then the rest."""
    prod = [name for name, stage, _ in plan if stage == "prod"]
    if not prod:
        head, marker, tail = config.partition("  stages:\n    prod:\n")
        rest = re.search(r"(?m)^\S", tail)
        return head + (tail[rest.start() :] if marker and rest else "")
    waves = [one for one in (prod[:1], prod[1:4], prod[4:]) if one] if len(prod) > 3 else [[name] for name in prod]
    written = ", ".join(f"[{', '.join(one)}]" for one in waves)
    return re.sub(r"(?m)^(\s+waves: ).*$", rf"\g<1>[{written}]", config)
