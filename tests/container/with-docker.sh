#!/usr/bin/env bash
# What run.sh asks of a machine, with Docker and Apptainer as they are installed there (CONTAINER_TOOL=with-docker.sh):
#   setup                    fails if there is no Docker
#   build CONTEXT TAG [...]  builds CONTEXT/Dockerfile; further words go to docker build
#   run [...]                docker run
#   podman [...]             any other call of docker; run.sh uses those that both have
#   apptainer-setup          code 75 if there is no Apptainer
#   sif TAG FILE DEFINITION  builds FILE from image TAG
#   apptainer-run [...]      apptainer run as an ordinary user, without network, with a clean environment
set -euo pipefail
verb=${1:?see the head of this file} && shift
case $verb in
  setup) docker version > /dev/null ;;
  build) context=$1 tag=$2 && shift 2 && docker build --tag "$tag" "$@" "$context" ;;
  run) exec docker run --rm "$@" ;;
  podman) exec docker "$@" ;;
  apptainer-setup) command -v apptainer > /dev/null || exit 75 ;;
  sif)
    folder=$(mktemp -d "${CONTAINERS_DIR:-/var/tmp}/sif.XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    docker save --output "$folder/image.tar" "$1"
    # lz4 is quick; a release takes zstd, which is smaller.
    APPTAINER_TMPDIR=$folder apptainer -q build --force --mksquashfs-args '-comp lz4' \
      --build-arg IMAGE="$folder/image.tar" "$2" "$3"
    chmod 644 "$2"
    ;;
  apptainer-run)
    home=$(mktemp -d "${CONTAINERS_DIR:-/var/tmp}/home.XXXXXX")
    trap 'rm -rf "$home"' EXIT
    chown 1234:1234 "$home"
    setpriv --reuid 1234 --regid 1234 --clear-groups env -i PATH="$PATH" HOME="$home" \
      apptainer -q run --containall --cleanenv --net --network none "$@"
    ;;
  *) sed -n '2,/^set -euo/p' "$0" | grep '^#' && exit 64 ;;
esac
