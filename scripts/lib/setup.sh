# Sourced by the scripts: what they need on a machine where nothing of ours is installed.
# Debian's Python carries Debian's PyTorch; another python3 earlier in PATH does not.
PYTHON=${PYTHON:-/usr/bin/python3}
export ONNXRUNTIME_NODE_INSTALL=skip # its install script would fetch CUDA libraries

fail() {
  echo "$*" >&2
  exit 1
}

require_node() {
  choose_node
  command -v node >/dev/null 2>&1 || fail 'node is not installed: kikitori needs Node 20 or newer (https://nodejs.org)'
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    fail "node $(node --version) is too old: kikitori needs Node 20 or newer"
}

# NODE=packaged: the one that the Debian packages bring, from the npm registry; NODE=/path/to/node: that one.
# Else the node of PATH.
choose_node() {
  local folder
  case ${NODE-} in
    '') return 0 ;;
    packaged)
      folder=tmp/node
      if ! cmp -s packaging/node/package-lock.json "$folder/package-lock.json" || [ ! -e "$folder/bin/node" ]; then
        rm -rf "$folder"
        mkdir -p "$folder/bin"
        cp packaging/node/package.json packaging/node/package-lock.json "$folder/"
        npm ci --prefix "$folder" --ignore-scripts --no-fund --no-audit --loglevel=error >/dev/null || fail 'npm ci of Node failed'
        # Not node_modules/.bin: npm puts that of every folder above into PATH.
        mv "$folder"/node_modules/node-linux-*/bin/node "$folder/bin/node" || fail 'the npm registry has no such Node for this machine'
        rm -rf "$folder/node_modules"
      fi
      ;;
    */*)
      folder=tmp/chosen-node
      [ -x "$NODE" ] || fail "NODE is $NODE, which is no program"
      mkdir -p "$folder/bin"
      ln -sf "$(readlink -f "$NODE")" "$folder/bin/node"
      ;;
    *) fail "NODE is $NODE: expected packaged, or the path of a node" ;;
  esac
  PATH=$PWD/$folder/bin:$PATH
  export PATH
  NODE=''
}

# Another program may be asking or installing at this moment: it is waited for, at most ten minutes.
# DPkg::Lock::Timeout is not heeded for the lock of the lists.
apt_update() {
  local tries=60 said
  until said=$(apt-get update -q 2>&1); do
    tries=$((tries - 1))
    case $said in *'Could not get lock'* | *'Unable to lock'*) [ "$tries" -gt 0 ] && sleep 10 && continue ;; esac
    echo "$said"
    return 1
  done
}

# Installs the Debian packages named that are missing; without root it says the line to run.
install_debian_packages() {
  command -v dpkg-query >/dev/null 2>&1 || { echo "not Debian: please provide $*"; return 0; }
  local missing='' package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    fail "missing Debian packages; run: sudo apt-get install --no-install-recommends$missing"
  fi
  echo "installing$missing"
  # shellcheck disable=SC2086
  { apt_update && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -q -y --no-install-recommends $missing; } \
    >/tmp/kikitori-apt.log 2>&1 || { tail -n 20 /tmp/kikitori-apt.log; fail "apt-get could not install$missing"; }
}

# True when every package of the lock file is there in its version; those for some platforms only may be missing.
node_modules_are_there() {
  node -e '
    const packages = (path) => JSON.parse(require("fs").readFileSync(path, "utf8")).packages;
    const there = packages("node_modules/.package-lock.json");
    for (const [path, { version, optional, os, cpu, libc }] of Object.entries(packages("package-lock.json")))
      if (path !== "" && !(optional && (os || cpu || libc)) && there[path]?.version !== version) process.exit(1);
  ' 2>/dev/null
}

# node_modules as the lock file says: all of it into an empty folder, else only what is missing.
install_node_modules() {
  require_node
  node_modules_are_there && return 0
  local how=ci
  [ -d node_modules ] && how='install --no-save'
  # shellcheck disable=SC2086
  npm $how --ignore-scripts --no-fund --no-audit --loglevel=error || fail "npm $how failed"
}

build() {
  npm run --silent build || fail 'the build failed'
}
