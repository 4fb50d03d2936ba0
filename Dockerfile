# The probe's image: one static program and nothing else.
#
#   docker build --build-arg VERSION=v1.2.3 --tag ghcr.io/kubectl-wg/wg-probe:v1.2.3 .
#   docker buildx build --platform linux/amd64,linux/arm64,linux/arm/v7 …
#
# `make image` builds the same without Docker (hack/image); a test compares them.

ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd/wg-probe cmd/wg-probe
COPY probe probe
ARG TARGETOS
ARG TARGETARCH
ARG TARGETVARIANT
ARG VERSION=dev
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /wg-probe ./cmd/wg-probe

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="wg-probe" \
      org.opencontainers.image.description="The probe of kubectl wg: reads WireGuard's state and watches the wire, changes nothing" \
      org.opencontainers.image.source="https://github.com/kubectl-wg/kubectl-wg" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /wg-probe /wg-probe
# Nobody, unless the pod says otherwise: the probe's manifest asks for root and
# two capabilities, the test pod's does not.
USER 65532:65532
ENTRYPOINT ["/wg-probe"]
