#!/bin/sh
# Leave out of the base image what no run needs: what installs packages, Perl, which is there for it, handbooks and
# translations. The licences (/usr/share/doc/*/copyright) stay.
set -eu

# The package tools are told, so that their list of what is installed, and the bill of materials, stay true. None of
# these packages is in every base image.
purge() {
    # shellcheck disable=SC2046 # a list of words
    set -- $(dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' "$@" 2>/dev/null | awk '$2 == "ii" {print $1}')
    [ $# = 0 ] || dpkg --purge --force-depends --force-remove-essential "$@"
}
python3 -m pip uninstall --quiet --yes --root-user-action ignore setuptools wheel pip || true
purge python3-pip-whl python3-setuptools-whl python3-venv 'python3.*-venv'
purge perl 'perl-modules-*' 'libperl5.*' 'lib*-perl' libgdbm-compat4
purge apt libapt-pkg6.0
# What only they used: signatures and connections of the package tools, and the tools of a file system on a disk.
purge gpgv libgnutls30 libhogweed6 libnettle8 libp11-kit0 libidn2-0 libunistring2 libtasn1-6
purge e2fsprogs logsave libext2fs2 libss2
# Questions that packages ask when they are installed, and the Perl that asks them. Nothing can be purged after it.
purge debconf
purge perl-base

for stdlib in /usr/lib/python3.* "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"; do
    for part in ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo; do
        rm -rf "${stdlib:?}/$part"
    done
done
# Times with leap seconds in them.
rm -rf /usr/share/zoneinfo/right
rm -rf /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/include /usr/lib/gcc \
    /var/lib/apt /var/cache/* /var/log/*
# Character sets for the C library; Python has its own, and that of the locale C.UTF-8 is built in.
rm -rf /usr/lib/*-linux-gnu*/gconv
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -type d -empty -delete

# Copies of one interpreter become links.
cd /usr/local/bin
for name in python python3; do
    if [ ! -L "$name" ] && cmp -s "$name" python3.11; then ln -sf python3.11 "$name"; fi
done

# The official image leaves the bytecode of the standard library out, and a read-only image never writes it. By the
# hash of the source, not its time, which copying may change.
python3 -c 'import compileall, sysconfig; from py_compile import PycInvalidationMode as Mode
compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=2, force=True, invalidation_mode=Mode.UNCHECKED_HASH)' || true
