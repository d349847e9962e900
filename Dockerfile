# The base is named by version; a release pins it by the digest of its day.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.lock ./
# The lock file names everything. docopt, a dependency of pybids, has no wheel; it is Python alone.
RUN python3 -m venv /opt/bids_deepseg \
    && /opt/bids_deepseg/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        --no-binary docopt -r requirements.lock
COPY pyproject.toml version README.md LICENSE ./
COPY bids_deepseg bids_deepseg
# Headers and pip are of no use when the app runs.
RUN /opt/bids_deepseg/bin/pip install --no-cache-dir --no-deps . \
    && rm -rf /opt/bids_deepseg/lib/python3.*/site-packages/tensorflow/include \
    && /opt/bids_deepseg/bin/pip uninstall --yes pip \
    && chmod -R a+rX /opt/bids_deepseg


FROM python:3.11-slim-bookworm

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

COPY --from=build /opt/bids_deepseg /opt/bids_deepseg
COPY run.py version /
# Boutiques starts it as run.py.
RUN ln -s /run.py /usr/local/bin/run.py && chmod a+rx /run.py && chmod a+r /version && mkdir -p /bids_dataset /outputs /workdir

# Nothing of the host's Python leaks in, and nothing is written beside the code.
ENV PATH=/opt/bids_deepseg/bin:$PATH \
    PYTHONNOUSERSITE=1 \
    PYTHONPATH= \
    PYTHONDONTWRITEBYTECODE=1 \
    BIDS_DEEPSEG_CONTAINER=docker \
    BIDS_DEEPSEG_CONTAINER_TAG=bids_deepseg:${VERSION}

USER 65534
ENTRYPOINT ["/run.py"]
CMD ["--help"]
