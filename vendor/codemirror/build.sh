#!/bin/sh
# Builds static/vendor/codemirror/codemirror.js and its LICENSE from the versions of package.json. Needs Node.js 18.
set -eu
cd "$(dirname "$0")"
target=../../static/vendor/codemirror
npm install --ignore-scripts --no-audit --no-fund --no-package-lock
npx esbuild entry.js --bundle --minify --format=esm --target=es2022 --charset=utf8 --legal-comments=none \
  --outfile="$target/codemirror.js"
{
  echo "codemirror.js holds these packages, all under the MIT licence:"
  for package in $(cd node_modules && ls -d @codemirror/* @lezer/* @marijn/* crelt style-mod w3c-keyname 2>/dev/null); do
    version=$(node -p "require('./node_modules/$package/package.json').version")
    printf '\n---- %s %s ----\n\n' "$package" "$version"
    cat "node_modules/$package/LICENSE"
  done
} > "$target/LICENSE"
