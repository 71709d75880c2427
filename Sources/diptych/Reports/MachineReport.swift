import Foundation
import TensorCore
import TensorIO
import Training

/// What a bug report should say of the machine.
struct MachineReport {
    /// A few lines under a title.
    struct Section {
        let title: String
        let lines: [String]
    }

    let sections: [Section]

    init() {
        sections = [
            Section(title: "program", lines: ["diptych \(DiptychVersion.current)"]),
            Section(title: "processor", lines: [Processor.name, Self.share(.current)]),
            Section(title: "instructions", lines: Self.instructions),
            Section(title: "memory", lines: Self.memory),
            Section(title: "limits", lines: [Self.limits.joined(separator: ", ")]),
            Section(title: "libraries", lines: [Self.libraries.joined(separator: ", ")]),
            Section(title: "environment", lines: Self.environment),
        ]
    }

    private static func share(_ share: ProcessorShare) -> String {
        let quota = share.quota.map { String(format: "%.2f", $0) } ?? "none"
        return
            "threads used: \(share.count); the process may run on \(share.affinity) of the processors, quota \(quota)"
    }

    private static var instructions: [String] {
        let sets = MatrixKernels.available.map(\.rawValue).joined(separator: ", ")
        return [
            "this processor runs \(sets)",
            "in use: \(MatrixKernels.current) for products and attention, \(InstructionSet.current) for all else",
        ]
    }

    private static var memory: [String] {
        let limit = ControlGroup.current.memoryLimit.map { "\(ByteCount($0))" } ?? "none"
        let information = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        func amount(_ key: String) -> String {
            let line = information.split(separator: "\n").first { $0.hasPrefix(key + ":") }
            let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            return kilobytes.map { "\(ByteCount($0 << 10))" } ?? "unknown"
        }
        return ["\(amount("MemTotal")), \(amount("MemAvailable")) available, limit of the control group \(limit)"]
    }

    private static var limits: [String] {
        func limit(_ name: String, _ resource: __rlimit_resource, _ text: (Int) -> String) -> String {
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return "\(name) unknown" }
            return "\(name) \(limit.rlim_cur > 1 << 60 ? "unlimited" : text(Int(limit.rlim_cur)))"
        }
        func size(_ bytes: Int) -> String { "\(ByteCount(bytes))" }
        return [
            limit("open files", RLIMIT_NOFILE) { "\($0)" }, limit("address space", RLIMIT_AS, size),
            limit("file size", RLIMIT_FSIZE, size), limit("locked memory", __RLIMIT_MEMLOCK, size),
            limit("stack", RLIMIT_STACK, size),
        ]
    }

    private static var libraries: [String] {
        ["OpenBLAS \(CPUBackend.blasVersion) (\(CPUBackend.blasCoreName))", "oneDNN \(OneDNN.version)"]
            + LibraryVersions.all.map { "\($0.name) \($0.version)" }
    }

    /// The variables that change what the program does, its own first.
    private static let variables: [(name: String, use: String)] = [
        ("DIPTYCH_ISA", "the kernels: scalar, avx2, avx512, avx512bf16, amx"),
        ("OPENBLAS_CORETYPE", "OpenBLAS' kernels"),
        ("ONEDNN_MAX_CPU_ISA", "oneDNN's instructions"), ("DNNL_MAX_CPU_ISA", "the same, its older name"),
        ("LC_ALL", "whether a bar may have block characters"), ("LC_CTYPE", "the same"), ("LANG", "the same"),
        ("TERM", "whether standard error is a terminal that can be written over"),
    ]

    private static var environment: [String] {
        let environment = ProcessInfo.processInfo.environment
        return variables.map { name, use in
            let value = environment[name].map { printable($0) } ?? "unset"
            return "\(name.padding(toLength: 20, withPad: " ", startingAt: 0))\(value)  (\(use))"
        }
    }
}
