#!/bin/sh
# Builds the stand-in into the folder OUT: sim/std/build.sh OUT. `cargo lastref` makes the same calls; README.md has the
# reason of each flag.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$out"
target=${CARGO_TARGET_DIR:-$here/../../target}/standin

RUSTFLAGS="-Cmetadata=lastref" CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_PANIC=unwind \
    cargo build --quiet --release --manifest-path "$here/../../Cargo.toml" --target "$host" --target-dir "$target" \
    -p lastref-runtime -p lastref-macros

for name in core std; do
    rustc --crate-name $name --crate-type rlib --edition 2024 "$here/crates/$name/lib.rs" --target "$host" \
        -C opt-level=3 -C metadata=lastref -A warnings --out-dir "$out" -L dependency="$target/$host/release/deps" \
        --extern lastref_runtime="$target/$host/release/liblastref_runtime.rlib" \
        --extern lastref_macros="$target/release/liblastref_macros.so"
done
cp "$target/$host/release/deps"/*.rlib "$out"
cp "$target/release/deps"/liblastref_macros-*.so "$out"
