"""Which arguments a shell completes with names of the configuration or git, and how each shell asks for them."""

from __future__ import annotations

NAME_KINDS = {"SERVICE": "services", "STAGE": "stages", "C": "clusters", "CLUSTER": "clusters"}
"""What an argument is called in the help → which names it takes."""
_BASH = """
_sgm_names() {
  local -a given=()
  local at value one
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [[ ${COMP_WORDS[at]} == --config || ${COMP_WORDS[at]} == --repo ]]; then
      value=$((at + 1))
      [[ ${COMP_WORDS[value]-} == "=" ]] && value=$((at + 2))
      given+=("${COMP_WORDS[at]}" "${COMP_WORDS[value]-}")
    fi
  done
  while IFS= read -r one; do
    [[ $one == "$2"* ]] && printf '%s\\n' "$one"
  done < <("${COMP_WORDS[0]}" "${given[@]}" completion --names "$1" 2> /dev/null)
}
"""
_ZSH = """
_sgm_names() {
  local -a line given found
  local at
  # `words` begins with the subcommand here; the line as it was typed does not.
  line=(${(Q)${(z)BUFFER}})
  for at in --config --repo; do
    (( ${line[(I)$at]} )) && given+=($at ${line[${line[(I)$at]} + 1]})
    given+=(${(M)line:#$at=*})
  done
  found=(${(f)"$(${line[(r)(*/|)sgm]:-sgm} $given completion --names $1 2> /dev/null)"})
  compadd -a found
}
"""


def name_completion(metavar: object) -> dict[str, object] | None:
    """Return how each shell completes an argument of this name (`complete` of shtab); None where it takes no names."""
    kind = NAME_KINDS.get(metavar) if isinstance(metavar, str) else None
    if kind is None:
        return None
    function, command = f"_sgm_names_{kind}", f"sgm completion --names {kind}"
    return {
        "bash": function,
        "zsh": function,
        "fish": f"(_sgm_names {kind})",
        "tcsh": f"`{command}`",
        "preamble": {
            "bash": f'{_BASH}\n{function}() {{\n  _sgm_names {kind} "$1"\n}}',
            "zsh": f"{_ZSH}\n{function}() {{\n  _sgm_names {kind}\n}}",
        },
    }
