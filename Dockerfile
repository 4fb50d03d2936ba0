# The images of the project: one static program each and nothing else, beside
# certificates for the plugin.
#
#   docker build --build-arg VERSION=v1.2.3 --tag ghcr.io/kubectl-wg/wg-probe:v1.2.3 .
#   docker build --build-arg VERSION=v1.2.3 --target kubectl-wg --tag ghcr.io/kubectl-wg/kubectl-wg:v1.2.3 .
#   docker buildx build --platform linux/amd64,linux/arm64,linux/arm/v7 …
#
# `make image` and `make release` build the same without Docker (hack/image); a
# test compares them.

ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY probe probe
ARG TARGETOS
ARG TARGETARCH
ARG TARGETVARIANT
ARG VERSION=dev

FROM source AS build-plugin
COPY cmd/kubectl-wg cmd/kubectl-wg
COPY manifests manifests
COPY plugin plugin
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
    go build -trimpath -buildvcs=false -o /kubectl-wg \
    -ldflags "-s -w -X github.com/kubectl-wg/kubectl-wg/plugin/command.version=$VERSION" ./cmd/kubectl-wg

FROM source AS build-probe
COPY cmd/wg-probe cmd/wg-probe
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /wg-probe ./cmd/wg-probe

# The plugin, for runs in the cluster.
FROM scratch AS kubectl-wg
ARG VERSION=dev
LABEL org.opencontainers.image.title="kubectl-wg" \
      org.opencontainers.image.description="kubectl wg for acceptance in the cluster: verifies that WireGuard encrypts traffic of pods" \
      org.opencontainers.image.source="https://github.com/kubectl-wg/kubectl-wg" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build-plugin /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build-plugin /kubectl-wg /kubectl-wg
USER 65532:65532
ENTRYPOINT ["/kubectl-wg"]

# The probe.
FROM scratch AS wg-probe
ARG VERSION=dev
LABEL org.opencontainers.image.title="wg-probe" \
      org.opencontainers.image.description="The probe of kubectl wg: reads WireGuard's state and watches the wire, changes nothing" \
      org.opencontainers.image.source="https://github.com/kubectl-wg/kubectl-wg" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build-probe /wg-probe /wg-probe
# Nobody, unless the pod says otherwise: the probe's manifest asks for root and
# two capabilities, the test pod's does not.
USER 65532:65532
ENTRYPOINT ["/wg-probe"]
