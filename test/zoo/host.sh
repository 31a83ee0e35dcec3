#!/bin/bash
# One host: `unshare` runs this in mount, process and time namespaces, and it becomes their first process, an SSH server.
# host.sh FOLDER: FOLDER/settings is sourced, and FOLDER/disk is what survives a reboot.
set -eu
folder=$1
root_shell=/bin/bash worker_shell=/bin/bash worker_id=5001 tmp_options=rw port=0
prepare() { :; }
before_login() { :; }
# shellcheck disable=SC1091
. "$folder/settings"

mount -t tmpfs none /run
mkdir -p /run/lock /run/sshd /run/h
chmod 1777 /run/lock
mkdir -p "$folder/disk/var-lib" "$folder/disk/opt" "$folder/disk/var-tmp" "$folder/disk/var-cache"
chmod 1777 "$folder/disk/var-tmp"
mount --bind "$folder/disk/var-lib" /var/lib
mount --bind "$folder/disk/opt" /opt
mount --bind "$folder/disk/var-tmp" /var/tmp
mount --bind "$folder/disk/var-cache" /var/cache
for fresh in /root /home /usr/local; do mount -t tmpfs none "$fresh"; done
chmod 700 /root
mkdir -p /home/worker /usr/local/bin
chown "$worker_id:$worker_id" /home/worker

# Accounts.
for name in passwd shadow group; do cp "/etc/$name" "/run/h/$name"; done
sed -i -e "s#^root:.*#root:x:0:0:root:/root:$root_shell#" -e '/^worker:/d' /run/h/passwd
sed -i -e 's#^root:[^:]*:#root:*:#' -e '/^worker:/d' /run/h/shadow
echo "worker:x:$worker_id:$worker_id::/home/worker:$worker_shell" >>/run/h/passwd
echo 'worker:*:19000:0:99999:7:::' >>/run/h/shadow
echo "worker:x:$worker_id:" >>/run/h/group
chmod 644 /run/h/passwd /run/h/group
for name in passwd shadow group; do mount --bind "/run/h/$name" "/etc/$name"; done
cat >/run/h/sudoers <<'S'
Defaults env_reset
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
worker ALL=(ALL) NOPASSWD:ALL
S

# Another boot than that of the kernel below.
cat /proc/sys/kernel/random/uuid >/run/h/boot_id
mount --bind /run/h/boot_id /proc/sys/kernel/random/boot_id

cp "$folder/host-key" /run/h/host-key
cp "$folder/authorized" /run/h/authorized
chmod 600 /run/h/host-key
cat >/run/h/sshd_config <<S
Port $port
ListenAddress 127.0.0.1
HostKey /run/h/host-key
AuthorizedKeysFile /run/h/authorized
PermitRootLogin yes
PasswordAuthentication no
UsePAM no
StrictModes no
PidFile none
MaxStartups 100
S

# The programs of /usr/bin as links, so that a kind can take some away.
own_programs() {
  mkdir -p /run/h/programs /run/h/links
  mount --bind /usr/bin /run/h/programs
  cp -as /run/h/programs/. /run/h/links/
  mount --bind /run/h/links /usr/bin
}

prepare
chmod 440 /run/h/sudoers
[ ! -e /etc/sudoers ] || mount --bind /run/h/sudoers /etc/sudoers
mount -t tmpfs -o "$tmp_options" none /tmp
chmod 1777 /tmp
before_login
exec /usr/sbin/sshd -D -e -f /run/h/sshd_config
