"""The fields of the objects our chart and Argo CD's declarations use, as types: an unknown field is an error.

No package on the registry carries the schemas of Argo's own kinds, so their fields are listed here from the Go types of
Argo CD and Argo Rollouts and of the Prometheus operator. Kubernetes's own kinds come from the client library.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from kubernetes.client import models
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

_GO_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")
_PROMETHEUS_DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")


def _go_duration(text: str) -> str:
    if not _GO_DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no Go duration")
    return text


def _prometheus_duration(text: str) -> str:
    if not _PROMETHEUS_DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no Prometheus duration")
    return text


def _seconds_or_duration(value: int | str) -> int | str:
    if isinstance(value, str) and not value.isdecimal():
        _go_duration(value)
    return value


def _cron(text: str) -> str:
    if len(text.split()) != 5:
        raise ValueError(f"{text!r} has not five fields")
    return text


GoDuration = Annotated[StrictStr, AfterValidator(_go_duration)]
PrometheusDuration = Annotated[StrictStr, AfterValidator(_prometheus_duration)]
PauseDuration = Annotated[StrictInt | StrictStr, AfterValidator(_seconds_or_duration)]
Cron = Annotated[StrictStr, AfterValidator(_cron)]
IntOrString = StrictInt | StrictStr
Labels = dict[str, StrictStr]
Weight = Annotated[StrictInt, Field(ge=0, le=100)]
NotNegative = Annotated[StrictInt, Field(ge=0)]


class Fields(BaseModel):
    """A group of fields with no room for an unknown one."""

    model_config = ConfigDict(extra="forbid")


class AnalysisArgumentSource(Fields):
    """Where the value of an argument of an analysis comes from."""

    podTemplateHashValue: Literal["Stable", "Latest"] | None = None
    fieldRef: models.V1ObjectFieldSelector | None = None


class AnalysisArgument(Fields):
    """An argument that a Rollout gives to its analysis."""

    name: StrictStr
    value: StrictStr | None = None
    valueFrom: AnalysisArgumentSource | None = None


class AnalysisTemplateReference(Fields):
    """The name of a template in the same namespace, or in the cluster."""

    templateName: StrictStr
    clusterScope: StrictBool | None = None


class RolloutAnalysis(Fields):
    """What a Rollout asks of an analysis."""

    templates: Annotated[list[AnalysisTemplateReference], Field(min_length=1)]
    args: list[AnalysisArgument] = []
    dryRun: list[dict[str, StrictStr]] = []
    measurementRetention: list[dict[str, Any]] = []
    analysisRunMetadata: dict[str, Labels] | None = None


class BackgroundAnalysis(RolloutAnalysis):
    """An analysis that runs beside the steps."""

    startingStep: NotNegative | None = None


class Pause(Fields):
    """A pause; without a duration it waits for a person."""

    duration: PauseDuration | None = None


class CanaryScale(Fields):
    """How many canary pods a step runs."""

    weight: Weight | None = None
    replicas: NotNegative | None = None
    matchTrafficWeight: StrictBool | None = None


class Step(Fields):
    """A canary step: exactly one of its kinds."""

    setWeight: Weight | None = None
    pause: Pause | None = None
    analysis: RolloutAnalysis | None = None
    setCanaryScale: CanaryScale | None = None

    @model_validator(mode="after")
    def exactly_one_kind(self) -> Step:
        """Argo Rollouts refuses a step of no kind or of two."""
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a step is of exactly one kind, not {sorted(self.model_fields_set)}")
        return self


class Canary(Fields):
    """The canary strategy, without traffic routing: the platform has none."""

    canaryService: StrictStr | None = None
    stableService: StrictStr | None = None
    steps: list[Step] = []
    maxSurge: IntOrString | None = None
    maxUnavailable: IntOrString | None = None
    analysis: BackgroundAnalysis | None = None
    minPodsPerReplicaSet: NotNegative | None = None
    dynamicStableScale: StrictBool | None = None


class BlueGreen(Fields):
    """The blue-green strategy."""

    activeService: StrictStr
    previewService: StrictStr | None = None
    previewReplicaCount: NotNegative | None = None
    autoPromotionEnabled: StrictBool | None = None
    autoPromotionSeconds: NotNegative | None = None
    scaleDownDelaySeconds: NotNegative | None = None
    scaleDownDelayRevisionLimit: NotNegative | None = None
    abortScaleDownDelaySeconds: NotNegative | None = None
    prePromotionAnalysis: RolloutAnalysis | None = None
    postPromotionAnalysis: RolloutAnalysis | None = None
    maxUnavailable: IntOrString | None = None


class Strategy(Fields):
    """Canary or blue-green, never both."""

    canary: Canary | None = None
    blueGreen: BlueGreen | None = None

    @model_validator(mode="after")
    def exactly_one_kind(self) -> Strategy:
        """Argo Rollouts calls any other Rollout InvalidSpec."""
        if (self.canary is None) == (self.blueGreen is None):
            raise ValueError("a strategy is either canary or blueGreen")
        return self


class RolloutSpec(Fields):
    """`spec` of a Rollout that carries its own pod template."""

    replicas: NotNegative | None = None
    selector: models.V1LabelSelector
    template: models.V1PodTemplateSpec
    strategy: Strategy
    minReadySeconds: NotNegative | None = None
    revisionHistoryLimit: NotNegative | None = None
    progressDeadlineSeconds: NotNegative | None = None
    progressDeadlineAbort: StrictBool | None = None
    rollbackWindow: dict[Literal["revisions"], NotNegative] | None = None
    paused: StrictBool | None = None


class PrometheusProvider(Fields):
    """A metric that Prometheus answers."""

    address: StrictStr
    query: StrictStr
    timeout: NotNegative | None = None
    insecure: StrictBool | None = None
    headers: list[dict[Literal["key", "value"], StrictStr]] = []


class Provider(Fields):
    """Where a metric is measured."""

    prometheus: PrometheusProvider


class Metric(Fields):
    """A metric of an analysis."""

    name: StrictStr
    interval: GoDuration | None = None
    initialDelay: GoDuration | None = None
    count: IntOrString | None = None
    successCondition: StrictStr | None = None
    failureCondition: StrictStr | None = None
    failureLimit: IntOrString | None = None
    inconclusiveLimit: IntOrString | None = None
    consecutiveErrorLimit: IntOrString | None = None
    consecutiveSuccessLimit: IntOrString | None = None
    provider: Provider


class TemplateArgument(Fields):
    """An argument that an analysis template takes."""

    name: StrictStr
    value: StrictStr | None = None
    valueFrom: dict[str, Any] | None = None


class AnalysisTemplateSpec(Fields):
    """`spec` of an AnalysisTemplate."""

    args: list[TemplateArgument] = []
    metrics: Annotated[list[Metric], Field(min_length=1)]
    dryRun: list[dict[Literal["metricName"], StrictStr]] = []
    measurementRetention: list[dict[str, Any]] = []


class Destination(Fields):
    """The cluster, by name or by address and not both, and the namespace."""

    name: StrictStr | None = None
    server: StrictStr | None = None
    namespace: StrictStr | None = None

    @model_validator(mode="after")
    def one_address(self) -> Destination:
        """Argo CD refuses a destination with both."""
        if (self.name is None) == (self.server is None):
            raise ValueError("a destination has either a name or a server")
        return self


class HelmSource(Fields):
    """How Argo CD renders a chart."""

    releaseName: StrictStr | None = None
    valueFiles: list[StrictStr] = []
    values: StrictStr | None = None
    valuesObject: dict[str, Any] | None = None
    ignoreMissingValueFiles: StrictBool | None = None
    parameters: list[dict[str, Any]] = []
    skipCrds: StrictBool | None = None


class DirectorySource(Fields):
    """Plain manifests in a folder."""

    recurse: StrictBool | None = None
    include: StrictStr | None = None
    exclude: StrictStr | None = None


class Source(Fields):
    """Where the manifests of an Application come from."""

    repoURL: StrictStr
    path: StrictStr | None = None
    targetRevision: StrictStr | None = None
    chart: StrictStr | None = None
    ref: StrictStr | None = None
    helm: HelmSource | None = None
    directory: DirectorySource | None = None


class Automated(Fields):
    """Synchronisation without a person."""

    prune: StrictBool | None = None
    selfHeal: StrictBool | None = None
    allowEmpty: StrictBool | None = None
    enabled: StrictBool | None = None


class Backoff(Fields):
    """How long to wait between two tries of a sync."""

    duration: GoDuration | None = None
    factor: StrictInt | None = None
    maxDuration: GoDuration | None = None


class Retry(Fields):
    """How often a failed sync is tried again."""

    limit: StrictInt | None = None
    backoff: Backoff | None = None
    refresh: StrictBool | None = None


SyncOption = Annotated[
    StrictStr,
    Field(
        pattern=r"^(Validate|PruneLast|Prune|Replace|Force|ServerSideApply|ApplyOutOfSyncOnly|CreateNamespace"
        r"|SkipDryRunOnMissingResource|RespectIgnoreDifferences|FailOnSharedResource|PrunePropagationPolicy"
        r"|ClientSideApplyMigration|Delete)=\w+$"
    ),
]


class SyncPolicy(Fields):
    """When and how an Application is synced."""

    automated: Automated | None = None
    syncOptions: list[SyncOption] = []
    retry: Retry | None = None
    managedNamespaceMetadata: dict[Literal["labels", "annotations"], Labels] | None = None


class ApplicationSpec(Fields):
    """`spec` of an Application."""

    project: StrictStr
    destination: Destination
    source: Source | None = None
    sources: list[Source] = []
    syncPolicy: SyncPolicy | None = None
    ignoreDifferences: list[dict[str, Any]] = []
    info: list[dict[Literal["name", "value"], StrictStr]] = []
    revisionHistoryLimit: NotNegative | None = None


class GitGenerator(Fields):
    """Folders or files of a repository."""

    repoURL: StrictStr
    revision: StrictStr
    directories: list[dict[Literal["path", "exclude"], StrictStr | StrictBool]] = []
    files: list[dict[Literal["path", "exclude"], StrictStr | StrictBool]] = []
    values: Labels | None = None
    pathParamPrefix: StrictStr | None = None


class ClusterGenerator(Fields):
    """The clusters Argo CD knows."""

    selector: models.V1LabelSelector | None = None
    values: Labels | None = None
    flatList: StrictBool | None = None


class LeafGenerator(Fields):
    """A generator inside a matrix."""

    git: GitGenerator | None = None
    clusters: ClusterGenerator | None = None


class Matrix(Fields):
    """Every pair of what two generators make."""

    generators: Annotated[list[LeafGenerator], Field(min_length=2, max_length=2)]


class Generator(Fields):
    """A generator of an ApplicationSet."""

    matrix: Matrix | None = None


class ApplicationTemplateMetadata(Fields):
    """`metadata` of what an ApplicationSet makes."""

    name: StrictStr
    labels: Labels = {}
    annotations: Labels = {}
    finalizers: list[StrictStr] = []


class ApplicationTemplate(Fields):
    """What an ApplicationSet makes of each set of parameters."""

    metadata: ApplicationTemplateMetadata
    spec: ApplicationSpec


class RollingStep(Fields):
    """Which Applications go together."""

    matchExpressions: list[models.V1LabelSelectorRequirement]
    maxUpdate: IntOrString | None = None


class RollingSync(Fields):
    """The order of a progressive sync."""

    steps: list[RollingStep]


class ApplicationSetStrategy(Fields):
    """All at once, or step by step."""

    type: Literal["AllAtOnce", "RollingSync"]
    rollingSync: RollingSync | None = None


class ApplicationSetSpec(Fields):
    """`spec` of an ApplicationSet."""

    goTemplate: StrictBool | None = None
    goTemplateOptions: list[StrictStr] = []
    generators: Annotated[list[Generator], Field(min_length=1)]
    template: ApplicationTemplate
    syncPolicy: dict[Literal["preserveResourcesOnDeletion", "applicationsSync"], StrictBool | StrictStr] | None = None
    strategy: ApplicationSetStrategy | None = None
    preservedFields: dict[Literal["annotations", "labels"], list[StrictStr]] | None = None


class GroupKind(Fields):
    """A kind of objects, by glob."""

    group: StrictStr
    kind: StrictStr


class ClusterScopedKind(GroupKind):
    """A kind of objects without a namespace, and which of them."""

    name: StrictStr | None = None


class ProjectDestination(Fields):
    """Where the Applications of a project may go, by glob."""

    name: StrictStr | None = None
    server: StrictStr | None = None
    namespace: StrictStr


class Role(Fields):
    """Who may do what in a project."""

    name: StrictStr
    description: StrictStr | None = None
    policies: list[StrictStr] = []
    groups: list[StrictStr] = []


class SyncWindow(Fields):
    """When a project may be synced."""

    kind: Literal["allow", "deny"]
    schedule: Cron
    duration: GoDuration
    applications: list[StrictStr] = []
    namespaces: list[StrictStr] = []
    clusters: list[StrictStr] = []
    manualSync: StrictBool | None = None
    timeZone: StrictStr | None = None
    andOperator: StrictBool | None = None
    description: StrictStr | None = None


class AppProjectSpec(Fields):
    """`spec` of an AppProject."""

    description: StrictStr | None = None
    sourceRepos: list[StrictStr] = []
    destinations: list[ProjectDestination] = []
    clusterResourceWhitelist: list[ClusterScopedKind] | None = None
    clusterResourceBlacklist: list[ClusterScopedKind] | None = None
    namespaceResourceWhitelist: list[GroupKind] | None = None
    namespaceResourceBlacklist: list[GroupKind] | None = None
    roles: list[Role] = []
    syncWindows: list[SyncWindow] = []
    orphanedResources: dict[Literal["warn", "ignore"], Any] | None = None
    sourceNamespaces: list[StrictStr] = []
    permitOnlyProjectScopedClusters: StrictBool | None = None


class Relabeling(Fields):
    """A rule that rewrites labels while scraping."""

    sourceLabels: list[StrictStr] = []
    separator: StrictStr | None = None
    targetLabel: StrictStr | None = None
    regex: StrictStr | None = None
    replacement: StrictStr | None = None
    action: StrictStr | None = None


class Endpoint(Fields):
    """A port that Prometheus scrapes."""

    port: StrictStr | None = None
    targetPort: IntOrString | None = None
    path: StrictStr | None = None
    interval: PrometheusDuration | None = None
    scrapeTimeout: PrometheusDuration | None = None
    scheme: StrictStr | None = None
    honorLabels: StrictBool | None = None
    relabelings: list[Relabeling] = []
    metricRelabelings: list[Relabeling] = []


class ServiceMonitorSpec(Fields):
    """`spec` of a ServiceMonitor."""

    selector: models.V1LabelSelector
    endpoints: Annotated[list[Endpoint], Field(min_length=1)]
    namespaceSelector: dict[Literal["any", "matchNames"], StrictBool | list[StrictStr]] | None = None
    jobLabel: StrictStr | None = None
    targetLabels: list[StrictStr] = []
    podTargetLabels: list[StrictStr] = []


class Rule(Fields):
    """A recording rule or an alert."""

    record: StrictStr | None = None
    alert: StrictStr | None = None
    expr: StrictStr | StrictInt | StrictFloat
    for_: PrometheusDuration | None = Field(default=None, alias="for")
    keep_firing_for: PrometheusDuration | None = None
    labels: Labels = {}
    annotations: Labels = {}

    @model_validator(mode="after")
    def exactly_one_kind(self) -> Rule:
        """Prometheus refuses a group with a rule of no kind or of two."""
        if (self.record is None) == (self.alert is None):
            raise ValueError("a rule either records or alerts")
        return self


class RuleGroup(Fields):
    """Rules that are evaluated together."""

    name: StrictStr
    interval: PrometheusDuration | None = None
    rules: list[Rule]


class PrometheusRuleSpec(Fields):
    """`spec` of a PrometheusRule."""

    groups: list[RuleGroup]


_SPECS: dict[tuple[str, str], type[BaseModel]] = {
    ("argoproj.io/v1alpha1", "Rollout"): RolloutSpec,
    ("argoproj.io/v1alpha1", "AnalysisTemplate"): AnalysisTemplateSpec,
    ("argoproj.io/v1alpha1", "Application"): ApplicationSpec,
    ("argoproj.io/v1alpha1", "ApplicationSet"): ApplicationSetSpec,
    ("argoproj.io/v1alpha1", "AppProject"): AppProjectSpec,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ServiceMonitorSpec,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PrometheusRuleSpec,
}
_WHOLE: dict[tuple[str, str], type[BaseModel]] = {
    ("v1", "Service"): models.V1Service,
    ("v1", "ConfigMap"): models.V1ConfigMap,
    ("policy/v1", "PodDisruptionBudget"): models.V1PodDisruptionBudget,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): models.V2HorizontalPodAutoscaler,
}


def unfit_fields(obj: dict[str, Any]) -> list[str]:
    """Return every field of an object that its kind does not have, lacks or types otherwise, with the reason.

    Raises KeyError for a kind that is not listed here: an object nobody checks is not one that fits.
    """
    kind = (obj["apiVersion"], obj["kind"])
    try:
        if kind in _WHOLE:
            _WHOLE[kind].model_validate(obj)
        else:
            TypeAdapter(dict[Literal["apiVersion", "kind", "metadata", "spec"], Any]).validate_python(obj)
            models.V1ObjectMeta.model_validate(obj["metadata"])
            _SPECS[kind].model_validate(obj["spec"])
    except ValidationError as error:
        return [f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()]
    return []
