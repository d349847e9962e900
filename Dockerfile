# Two images from one file: "full" (the last one, built by default) with TensorFlow, and "slim" with the backend
# OpenVINO instead (docker build --target slim). Both are built for linux/amd64 and linux/arm64.
# The base is named by version; a release pins it by the digest of its day (--build-arg BASE=...).
ARG BASE=python:3.11-slim-bookworm


# The base without what installs packages, and with its bytecode.
# hadolint ignore=DL3006
FROM ${BASE} AS base
COPY container/base.sh /tmp/
RUN sh /tmp/base.sh && rm /tmp/base.sh


# hadolint ignore=DL3006
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# strip; the present version of it is fine, it stays in this stage.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY container/lean.py container/parts.sh container/
COPY pyproject.toml version README.md LICENSE ./
COPY bids_deepseg bids_deepseg


# The lock files name everything. docopt, a dependency of pybids, has no wheel; it is Python alone.
FROM build AS slim-parts
COPY requirements-slim.lock ./
RUN python3 -m venv /opt/bids_deepseg \
    && /opt/bids_deepseg/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements-slim.lock \
    && sh container/parts.sh


FROM build AS full-parts
COPY requirements.lock ./
RUN python3 -m venv /opt/bids_deepseg \
    && /opt/bids_deepseg/bin/pip install --no-deps --require-hashes --only-binary :all: --no-binary docopt -r requirements.lock \
    && sh container/parts.sh


# What both images have in common but the parts.
FROM scratch AS image
# On purpose: what was removed from the base is to be out of the layers, too.
# hadolint ignore=DL3067
COPY --from=base / /
COPY run.py version /
# Boutiques starts it as run.py.
RUN ln -s /run.py /usr/local/bin/run.py && chmod a+rx /run.py && chmod a+r /version \
    && mkdir -p /bids_dataset /outputs /workdir

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="bids_deepseg" \
      org.opencontainers.image.description="BIDS App that segments the spinal cord on MRI" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT" \
      org.label-schema.schema-version="1.0" \
      org.label-schema.name="bids_deepseg" \
      org.label-schema.version="${VERSION}" \
      org.label-schema.vcs-ref="${REVISION}"

# Nothing of the host's Python leaks in, and nothing is written beside the code.
ENV PATH=/opt/bids_deepseg/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONNOUSERSITE=1 \
    PYTHONPATH= \
    PYTHONDONTWRITEBYTECODE=1 \
    BIDS_DEEPSEG_CONTAINER=docker \
    BIDS_DEEPSEG_CONTAINER_TAG=bids_deepseg:${VERSION}

ENTRYPOINT ["/run.py"]
CMD ["--help"]


# The bill of materials and the licences are written from what has arrived here.
FROM image AS slim
ENV KERAS_BACKEND=openvino
COPY --from=slim-parts /opt/bids_deepseg /opt/bids_deepseg
RUN --mount=type=bind,source=container/inventory.py,target=/tmp/inventory.py \
    python3 /tmp/inventory.py /usr/share/bids_deepseg
USER 65534


FROM image AS full
COPY --from=full-parts /opt/bids_deepseg /opt/bids_deepseg
RUN --mount=type=bind,source=container/inventory.py,target=/tmp/inventory.py \
    python3 /tmp/inventory.py /usr/share/bids_deepseg
USER 65534
