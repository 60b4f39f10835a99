//! The runtime specification of a container as containerd's CRI plugin writes it: compact JSON, with the
//! members in the order of the Go types.
//!
//! Half of the containers are of restricted pods: no capability but one, and the default list of seccomp,
//! which takes 5.1 KB. The others keep the default capabilities, and have no such list.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Serialize;

use super::dice::Dice;
use super::pod::Pod;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    oci_version: &'static str,
    process: Process,
    root: Root,
    mounts: Vec<Mount>,
    annotations: BTreeMap<&'static str, String>,
    linux: Linux,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    user: User,
    args: Vec<String>,
    env: Vec<String>,
    cwd: &'static str,
    capabilities: Capabilities,
    #[serde(skip_serializing_if = "is_false")]
    no_new_privileges: bool,
    apparmor_profile: &'static str,
    oom_score_adj: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    uid: u32,
    gid: u32,
    additional_gids: Vec<u32>,
}

#[derive(Serialize)]
struct Capabilities {
    bounding: &'static [&'static str],
    effective: &'static [&'static str],
    permitted: &'static [&'static str],
}

#[derive(Serialize)]
struct Root {
    path: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    readonly: bool,
}

#[derive(Serialize)]
struct Mount {
    destination: String,
    #[serde(rename = "type")]
    kind: &'static str,
    source: String,
    options: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    resources: Resources,
    cgroups_path: String,
    namespaces: Vec<Namespace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seccomp: Option<&'static Seccomp>,
    masked_paths: &'static [&'static str],
    readonly_paths: &'static [&'static str],
}

#[derive(Serialize)]
struct Resources {
    devices: [Device; 1],
    memory: Memory,
    cpu: Cpu,
    unified: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Device {
    allow: bool,
    access: &'static str,
}

#[derive(Serialize)]
struct Memory {
    limit: usize,
    swap: usize,
}

#[derive(Serialize)]
struct Cpu {
    shares: usize,
    quota: usize,
    period: usize,
}

#[derive(Serialize)]
struct Namespace {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seccomp {
    default_action: &'static str,
    architectures: [&'static str; 3],
    syscalls: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    names: Vec<&'static str>,
    action: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Argument>,
}

#[derive(Serialize)]
struct Argument {
    index: u32,
    value: u64,
    op: &'static str,
}

/// The default capabilities of a container.
const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// The only one that a restricted pod may have.
const RESTRICTED: [&str; 1] = ["CAP_NET_BIND_SERVICE"];

/// The names that the default list of seccomp allows on every machine.
const SYSCALLS: &str = include_str!("syscalls.txt");

const MASKED: [&str; 11] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

const READONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// What every container mounts: destination, type, source and options.
const MOUNTS: [(&str, &str, &[&str]); 6] = [
    ("/proc", "proc", &["nosuid", "noexec", "nodev"]),
    (
        "/dev",
        "tmpfs",
        &["nosuid", "strictatime", "mode=755", "size=65536k"],
    ),
    (
        "/dev/pts",
        "devpts",
        &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5",
        ],
    ),
    ("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    (
        "/sys/fs/cgroup",
        "cgroup",
        &["nosuid", "noexec", "nodev", "relatime", "ro"],
    ),
];

/// What else is mounted: destination, and the volume of the pod.
const VOLUMES: [(&str, &str); 6] = [
    (
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "kubernetes.io~projected/kube-api-access-",
    ),
    ("/etc/service", "kubernetes.io~configmap/settings-"),
    ("/tmp", "kubernetes.io~empty-dir/scratch-"),
    ("/etc/tls", "kubernetes.io~secret/serving-cert-"),
    ("/var/lib/data", "kubernetes.io~csi/pvc-"),
    ("/var/run/sockets", "kubernetes.io~empty-dir/sockets-"),
];

/// The services of the namespace: every container has variables of each.
const SERVICES: [(&str, u16); 10] = [
    ("KUBERNETES", 443),
    ("CART", 8080),
    ("CHECKOUT", 8080),
    ("SEARCH_API", 9200),
    ("POSTGRES", 5432),
    ("REDIS", 6379),
    ("SESSIONS", 7000),
    ("RABBITMQ", 5672),
    ("MAIL_RELAY", 25),
    ("PRICES", 50051),
];

/// Of the 30 to 60 variables, these come first.
fn own_variables(pod: &Pod, dice: &mut Dice) -> [String; 10] {
    let (app, namespace, name) = (pod.app, pod.namespace, &pod.name);
    let level = dice.one_of(&["debug", "info", "warn"]);
    [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("HOSTNAME={name}"),
        format!("POD_NAME={name}"),
        format!("POD_NAMESPACE={namespace}"),
        format!("POD_IP=10.42.{}.{}", dice.number(256), dice.number(256)),
        format!("NODE_NAME=worker-{}.eu-west.example.com", dice.number(300)),
        format!("LOG_LEVEL={level}"),
        format!("GOMAXPROCS={}", 1 + dice.number(16)),
        format!(
            "DATABASE_URL=postgres://{app}:{}@postgres/{app}",
            dice.hex(20)
        ),
        format!("FEATURES={app}-v2,batch-{}", dice.number(100)),
    ]
}

fn variables(pod: &Pod, dice: &mut Dice) -> Vec<String> {
    let count = 30 + dice.number(31).min(dice.number(31));
    let mut env = own_variables(pod, dice).to_vec();
    for (service, port) in SERVICES {
        let address = format!("10.96.{}.{}", dice.number(256), dice.number(256));
        env.extend([
            format!("{service}_SERVICE_HOST={address}"),
            format!("{service}_SERVICE_PORT={port}"),
            format!("{service}_PORT=tcp://{address}:{port}"),
            format!("{service}_PORT_{port}_TCP=tcp://{address}:{port}"),
            format!("{service}_PORT_{port}_TCP_PROTO=tcp"),
            format!("{service}_PORT_{port}_TCP_PORT={port}"),
            format!("{service}_PORT_{port}_TCP_ADDR={address}"),
        ]);
    }
    env.truncate(count);
    env
}

fn mounts(pod: &Pod, dice: &mut Dice) -> Vec<Mount> {
    const WRITABLE: [&str; 3] = ["rbind", "rprivate", "rw"];
    const READ_ONLY: [&str; 3] = ["rbind", "rprivate", "ro"];
    let bind = |destination: &str, source: String, is_writable| Mount {
        destination: destination.to_owned(),
        kind: "bind",
        source,
        options: if is_writable { &WRITABLE } else { &READ_ONLY },
    };
    let count = 12 + dice.number(6).min(dice.number(6));
    let sandbox = &pod.sandbox;
    let kubelet = format!("/var/lib/kubelet/pods/{}", pod.uid);
    let state = format!("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{sandbox}");
    let shm = format!("/run/containerd/io.containerd.grpc.v1.cri/sandboxes/{sandbox}/shm");
    let log = format!("{kubelet}/containers/{}/{}", pod.container, dice.hex(8));
    let mut mounts: Vec<Mount> = MOUNTS
        .into_iter()
        .map(|(destination, kind, options)| Mount {
            destination: destination.to_owned(),
            kind,
            source: kind.to_owned(),
            options,
        })
        .collect();
    mounts.extend([
        bind("/etc/hosts", format!("{kubelet}/etc-hosts"), true),
        bind("/dev/termination-log", log, true),
        bind("/etc/hostname", format!("{state}/hostname"), true),
        bind("/etc/resolv.conf", format!("{state}/resolv.conf"), true),
        bind("/dev/shm", shm, true),
    ]);
    mounts.extend(VOLUMES.into_iter().map(|(destination, volume)| {
        let source = format!("{kubelet}/volumes/{volume}{}", dice.hex(5));
        bind(destination, source, volume.contains("empty-dir"))
    }));
    mounts.truncate(count);
    mounts
}

fn annotations(pod: &Pod) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("io.kubernetes.cri.container-name", pod.container.to_owned()),
        ("io.kubernetes.cri.container-type", "container".to_owned()),
        ("io.kubernetes.cri.image-name", pod.image()),
        ("io.kubernetes.cri.sandbox-id", pod.sandbox.clone()),
        ("io.kubernetes.cri.sandbox-name", pod.name.clone()),
        (
            "io.kubernetes.cri.sandbox-namespace",
            pod.namespace.to_owned(),
        ),
        ("io.kubernetes.cri.sandbox-uid", pod.uid.clone()),
    ])
}

fn linux(pod: &Pod, id: &str, is_restricted: bool, dice: &mut Dice) -> Linux {
    const MEBIBYTE: usize = 1024 * 1024;
    let limit = MEBIBYTE << (6 + dice.number(6));
    let process = 1000 + dice.number(60_000);
    let joined = |kind, file| Namespace {
        kind,
        path: Some(format!("/proc/{process}/ns/{file}")),
    };
    let own = |kind| Namespace { kind, path: None };
    let slice = pod.uid.replace('-', "_");
    Linux {
        resources: Resources {
            devices: [Device {
                allow: false,
                access: "rwm",
            }],
            memory: Memory { limit, swap: limit },
            cpu: Cpu {
                shares: 2 + dice.number(4096),
                quota: 1000 * (10 + dice.number(400)),
                period: 100_000,
            },
            unified: BTreeMap::from([("memory.oom.group", "1")]),
        },
        cgroups_path: format!("kubepods-burstable-pod{slice}.slice:cri-containerd:{id}"),
        namespaces: vec![
            own("pid"),
            joined("ipc", "ipc"),
            joined("uts", "uts"),
            own("mount"),
            joined("network", "net"),
            own("cgroup"),
        ],
        seccomp: is_restricted.then(|| &*SECCOMP),
        masked_paths: &MASKED,
        readonly_paths: &READONLY,
    }
}

static SECCOMP: LazyLock<Seccomp> = LazyLock::new(|| {
    const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
    let rule = |names, args| Rule {
        names,
        action: "SCMP_ACT_ALLOW",
        args,
    };
    let personality = |value| Argument {
        index: 0,
        value,
        op: "SCMP_CMP_EQ",
    };
    let mut syscalls = vec![rule(SYSCALLS.split_whitespace().collect(), Vec::new())];
    syscalls.extend(PERSONALITIES.map(|value| rule(vec!["personality"], vec![personality(value)])));
    syscalls.push(rule(vec!["ptrace"], Vec::new()));
    syscalls.push(rule(vec!["arch_prctl", "modify_ldt"], Vec::new()));
    Seccomp {
        default_action: "SCMP_ACT_ERRNO",
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        syscalls,
    }
});

/// The specification of the container with this id.
pub(crate) fn spec(pod: &Pod, id: &str, dice: &mut Dice) -> Vec<u8> {
    let is_restricted = dice.number(2) == 0;
    let capabilities: &[&str] = if is_restricted {
        &RESTRICTED
    } else {
        &CAPABILITIES
    };
    let user = if is_restricted { 65532 } else { 0 };
    let spec = Spec {
        oci_version: "1.1.0",
        process: Process {
            user: User {
                uid: user,
                gid: user,
                additional_gids: vec![user],
            },
            args: vec![
                format!("/usr/bin/{}", pod.container),
                format!("--listen=:{}", 1024 + dice.number(60_000)),
                format!("--config=/etc/service/{}.yaml", pod.app),
            ],
            env: variables(pod, dice),
            cwd: "/",
            capabilities: Capabilities {
                bounding: capabilities,
                effective: capabilities,
                permitted: capabilities,
            },
            no_new_privileges: is_restricted,
            apparmor_profile: "cri-containerd.apparmor.d",
            oom_score_adj: 2 + dice.one_of(&[0, 500, 900, 998]),
        },
        root: Root {
            path: "rootfs",
            readonly: is_restricted,
        },
        mounts: mounts(pod, dice),
        annotations: annotations(pod),
        linux: linux(pod, id, is_restricted, dice),
    };
    serde_json::to_vec(&spec).expect("text is JSON")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}
