#!/bin/sh
# Fetch the viewer of the review page from the npm registry, and compare its checksum (needs npm and node).
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent @niivue/niivue@0.69.0
tar -xzf niivue-niivue-0.69.0.tgz package/dist/index.min.js
echo "f83a59526eb34aa7b6b4952c83121bbda54f60700ca86096d847cbb0b9358549  package/dist/index.min.js" | sha256sum --check
# The package holds its minified ES module as one encoded text.
node --input-type=module -e 'import { writeFileSync } from "node:fs";
import { esm } from "./package/dist/index.min.js";
writeFileSync("niivue.min.js", decodeURIComponent(esm));'
echo "bcb456b66a26e20126b7257c2b6071f48b347b7f910f99bca26721a71a96cbed  niivue.min.js" | sha256sum --check
cp niivue.min.js "$folder/"
