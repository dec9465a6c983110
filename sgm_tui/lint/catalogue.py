"""The rules: id (stable, since people use it in their CI), severity, why it matters, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule checks."""

    id: str
    severity: Severity
    title: str
    why: str
    fix: str


RULES: tuple[Rule, ...] = (
    Rule(
        "config",
        "error",
        "sgm.yaml cannot be used",
        "Everything sgm knows of the platform comes from this file.",
        "Correct the key; `sgm help configuration` describes every key.",
    ),
    Rule(
        "layout-unmatched",
        "warning",
        "A values file no template of sgm.yaml matches",
        "sgm does not see it: its version is neither shown nor promoted.",
        "Move the file, or add its path to layout.values in sgm.yaml.",
    ),
    Rule(
        "layout-unknown-stage",
        "warning",
        "Values files of a stage sgm.yaml does not know",
        "sgm does not see them: their versions are neither shown nor promoted.",
        "List the stage under stages in sgm.yaml, or remove the folder.",
    ),
    Rule(
        "layout-unknown-cluster",
        "warning",
        "Values files of a cluster sgm.yaml does not know in this stage",
        "sgm does not see them: their versions are neither shown nor promoted.",
        "List the cluster under its stage in sgm.yaml, or remove the folder.",
    ),
    Rule(
        "layout-shadowed",
        "warning",
        "A values file no cell uses",
        "Every cluster of its stage has a more specific file: a change here changes nothing.",
        "Remove it, or remove the specific files.",
    ),
    Rule(
        "service-gap",
        "note",
        "A service that is not in every stage or cluster",
        "It cannot be promoted to where it has no values file.",
        "Add the missing values file, unless it is meant to be so.",
    ),
    Rule(
        "values-symlink",
        "warning",
        "A values file is a symbolic link",
        "sgm refuses to change it, and Argo CD refuses links that leave the repository.",
        "Put the file itself there.",
    ),
    Rule(
        "values-unused",
        "warning",
        "A values file no Application reads",
        "A promotion of it merges and then nothing happens.",
        "Make an ApplicationSet read it, or remove it.",
    ),
    Rule(
        "yaml-invalid",
        "error",
        "Not valid YAML",
        "Argo CD cannot render the Application: the sync fails.",
        "Correct it at the place named.",
    ),
    Rule(
        "yaml-tab",
        "error",
        "A tab in the indentation",
        "YAML allows only spaces there; every parser refuses the file.",
        "Replace the tab by spaces.",
    ),
    Rule(
        "yaml-duplicate-key",
        "error",
        "A key is there twice",
        "Which of the two counts depends on the reader, and sgm refuses to change either.",
        "Remove one.",
    ),
    Rule(
        "yaml-encoding",
        "error",
        "Not UTF-8",
        "Helm and sgm read UTF-8 only.",
        "Save the file as UTF-8.",
    ),
    Rule(
        "yaml-too-large",
        "warning",
        "Larger than 1 MB",
        "sgm neither reads nor changes it.",
        "Split the file.",
    ),
    Rule(
        "image-key-missing",
        "error",
        "The version is not where it should be",
        "sgm shows no version and cannot promote; the chart's default, if any, is what runs.",
        "Write the key, or set layout.image_key in sgm.yaml.",
    ),
    Rule(
        "image-key-uneditable",
        "warning",
        "The version cannot be changed safely",
        "A promotion of this file is refused, because more than the version would change.",
        "Write the version as an ordinary string at its key.",
    ),
    Rule(
        "version-missing",
        "error",
        "The version is empty",
        "What runs is whatever the chart or the registry makes of it.",
        "Write the version that should run.",
    ),
    Rule(
        "version-mutable",
        "error",
        "The version is a name that moves",
        "Two pods of one release can run different code, and there is nothing to go back to.",
        "Write a version that never moves, like v1.4.2, or a digest.",
    ),
    Rule(
        "version-not-a-string",
        "error",
        "The version is no string",
        "YAML reads it as something else, so another tag than the one written is pulled.",
        "Put it in quotes.",
    ),
    Rule(
        "argo-object",
        "error",
        "An object of Argo CD has the wrong shape",
        "Argo CD rejects it.",
        "Write it as Argo CD's documentation shows.",
    ),
    Rule(
        "project-unknown",
        "error",
        "An Application names a project that does not exist",
        "Argo CD refuses the Application: InvalidSpecError, sync and health Unknown.",
        "Name an existing AppProject, or add it.",
    ),
    Rule(
        "project-source",
        "error",
        "The project does not allow the repository",
        "Argo CD refuses the Application: InvalidSpecError, sync and health Unknown.",
        "Add the repository to sourceRepos of the project.",
    ),
    Rule(
        "project-destination",
        "error",
        "The project does not allow the cluster",
        "Argo CD refuses the Application: InvalidSpecError, sync and health Unknown.",
        "Add the cluster to destinations of the project.",
    ),
    Rule(
        "project-namespace",
        "error",
        "The project does not allow the namespace",
        "Argo CD refuses the Application: InvalidSpecError, sync and health Unknown.",
        "Add the namespace to destinations of the project.",
    ),
    Rule(
        "project-kind",
        "warning",
        "The project does not allow a kind that the chart brings",
        "Argo CD refuses that object, and the sync of the whole Application fails.",
        "Allow the kind in the project, or take its template out of the chart.",
    ),
    Rule(
        "project-wildcard",
        "warning",
        "A project that reaches production allows everything",
        "Whoever may write one Application may then put anything anywhere in production.",
        "List what is needed.",
    ),
    Rule(
        "project-window",
        "error",
        "A sync window that Argo CD does not understand",
        "What Argo CD cannot read blocks every sync, manual ones too; a wrong zone or kind opens at the wrong time.",
        "Write kind, five fields of cron (weekdays 0–6, no @daily), a duration like 8h, and what it applies to.",
    ),
    Rule(
        "cluster-mismatch",
        "warning",
        "sgm.yaml and the declared clusters disagree",
        "Argo CD deploys by the declaration, sgm shows by sgm.yaml: one of them is wrong.",
        "Make name, stage and location the same in both.",
    ),
    Rule(
        "cluster-credentials",
        "error",
        "A cluster's credentials are in git",
        "Everybody who can read the repository can act in the cluster, also after the line is removed.",
        "Take them out, let a secret store bring them, and issue new ones.",
    ),
    Rule(
        "applicationset-template",
        "error",
        "A template asks for what is not there",
        "The ApplicationSet stops and none of its Applications changes any more, or it makes some with a hole in them.",
        "Name a parameter the generators yield, or give every cluster the label.",
    ),
    Rule(
        "applicationset-generator",
        "error",
        "A generator that cannot work",
        "The ApplicationSet stops: none of its Applications is created, changed or removed any more.",
        "Correct the generator.",
    ),
    Rule(
        "applicationset-empty",
        "warning",
        "A generator that finds nothing",
        "It makes no Application; where it made some before, they are deleted with what they deployed.",
        "Correct the selector or the path, or remove the generator.",
    ),
    Rule(
        "application-clash",
        "error",
        "Two Applications of one name",
        "An ApplicationSet that makes a name twice stops; two of them fight over the Application for ever.",
        "Put what tells them apart into the name.",
    ),
    Rule(
        "application-name",
        "error",
        "A name Kubernetes rejects",
        "The Application cannot be created.",
        "Use lower-case letters, digits, dashes and dots; normalize helps in a template.",
    ),
    Rule(
        "application-cluster",
        "error",
        "An Application for a cluster that is not declared",
        "Argo CD refuses the Application: there are no clusters with this name.",
        "Declare the cluster, or correct the destination.",
    ),
    Rule(
        "application-path",
        "error",
        "An Application reads a path that does not exist",
        "Argo CD cannot render it: the comparison fails and nothing is deployed.",
        "Correct the path, or add the file.",
    ),
    Rule(
        "codeowners-gap",
        "warning",
        "Values files without an owner",
        "Anyone who can merge can change what runs there, without an owner's review.",
        "Add a line for them.",
    ),
    Rule(
        "codeowners-syntax",
        "error",
        "A line of CODEOWNERS GitHub does not read",
        "GitHub skips the line, and the previous matching line decides.",
        "Write: pattern @user @org/team person@example.com",
    ),
    Rule(
        "codeowners-hidden",
        "warning",
        "A line of CODEOWNERS that never decides",
        "The last matching line decides; a later one matches everything this one does.",
        "Move it below the later line, or remove it.",
    ),
    Rule(
        "codeowners-stale",
        "note",
        "A line of CODEOWNERS that matches no file",
        "It protects nothing, and looks as if it did.",
        "Correct the path, or remove the line.",
    ),
    Rule(
        "codeowners-ignored",
        "warning",
        "A second CODEOWNERS file",
        "GitHub reads the first of .github/, the root and docs/; the other is never read.",
        "Keep one.",
    ),
    Rule(
        "values-unread",
        "warning",
        "A value no chart reads",
        "It changes nothing; where the chart's schema is strict, Helm refuses to render.",
        "Use a key the chart knows, or remove it.",
    ),
    Rule(
        "stage-drift",
        "warning",
        "A value that should be the same in every stage",
        "What was tried in one stage is not what runs in the next.",
        "Make them equal.",
    ),
)

BY_ID = {rule.id: rule for rule in RULES}
