#!/usr/bin/env bash
# Take the pictures of the documentation anew: the real dashboard on the embedded fleet, 120 x 36, with its own ctrl+s.
# Usage: docs/pictures/take.sh [SGM]   (default: .venv/bin/sgm; needs tmux)
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
sgm=$(realpath "${1:-$folder/../../.venv/bin/sgm}")
work=$(mktemp -d)
session="pictures-$$"
trap 'tmux -L "$session" kill-server 2>/dev/null || true; rm -rf "$work"' EXIT

press() { # one key after the other, as a person would
  for key in "$@"; do
    tmux -L "$session" send-keys "$key"
    sleep 0.6
  done
}
wait_for() { # a text on the screen
  for _ in $(seq 120); do
    if tmux -L "$session" capture-pane -p | grep -qE "$1"; then return; fi
    sleep 0.5
  done
  echo "the screen never showed: $1" >&2
  tmux -L "$session" capture-pane -p >&2
  exit 1
}
take() { # once messages have gone, into NAME.svg
  sleep "${2:-6}"
  press C-s
  for _ in $(seq 20); do
    if compgen -G "$work/*.svg" >/dev/null; then break; fi
    sleep 0.5
  done
  mv "$work"/*.svg "$folder/$1.svg"
}

tmux -L "$session" new-session -d -x 120 -y 36 "cd '$work' && '$sgm' demo"
wait_for 'github ● .*prod locked'
press Down Down 3 Right Right
take dashboard 3
press Left Left v
wait_for '≥'
take revert
press Escape o
wait_for 'ready to merge'
take pulls
press Escape Up Up p Right Right p c
wait_for 'wave 1 of 2'
take plan
press Enter
wait_for 'prod'
sleep 1
press p r o d Enter
wait_for '(opened|merged|rolling) .*#3'
press W
wait_for 'rolling|paused'
take waves
press Escape Escape Down Down Down Down Left y
wait_for 'downgrade'
take why
press C-q
