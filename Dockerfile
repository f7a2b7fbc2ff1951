# syntax=docker/dockerfile:1

# One image with every binary. Which one runs is chosen by the entry point, as docker-compose.yml does;
# by default it is `longhaul`: the four services in one process, on an embedded store in /var/lib/longhaul.

FROM docker.io/library/rust:1.95-bookworm AS builder
WORKDIR /build
COPY . .
# The caches keep what was downloaded and compiled from one build to the next. They are not part of
# the image, so the binaries are copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --workspace \
        --bin longhaul \
        --bin shipment-process \
        --bin manifestation \
        --bin collection-booking \
        --bin carrier-stub \
        --bin load_test \
    && mkdir --parents /out/bin /out/state/data \
    && cp \
        target/release/longhaul \
        target/release/shipment-process \
        target/release/manifestation \
        target/release/collection-booking \
        target/release/carrier-stub \
        target/release/load_test \
        /out/bin/

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=builder /out/bin/ /usr/local/bin/
# The embedded store writes to ./data.
COPY --from=builder --chown=65532:65532 /out/state/ /var/lib/longhaul/
WORKDIR /var/lib/longhaul
VOLUME /var/lib/longhaul/data
# The user `nonroot` of the image. A number lets an orchestrator see that it is not root.
USER 65532
EXPOSE 43210 43211 43212 43213
# Others can come, so nobody may enter until a token is configured: `docker run --rm longhaul token NAME` makes one.
ENV LONGHAUL__HTTP__HOST=0.0.0.0
ENTRYPOINT ["/usr/local/bin/longhaul"]
