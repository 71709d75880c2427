import Foundation
import TensorCore
import Testing

/// How many processors and how much memory a process may use.
@Suite struct ProcessorShareTests {
    @Test func theQuotaCountsWhereItIsLess() {
        #expect(ProcessorShare(affinity: 8, quota: nil).count == 8)
        #expect(ProcessorShare(affinity: 8, quota: 1.5).count == 2)
        #expect(ProcessorShare(affinity: 2, quota: 16).count == 2)
        #expect(ProcessorShare(affinity: 4, quota: 0.1).count == 1)
    }

    /// The tightest limit of the group and of those around it, as version 2 writes them.
    @Test func limitsOfVersion2() throws {
        let root = try Self.folder([
            "cpu.max": "max 100000", "user/cpu.max": "350000 100000", "user/job/cpu.max": "max 100000",
            "user/memory.max": "8589934592", "user/job/memory.max": "max",
        ])
        defer { try? FileManager.default.removeItem(atPath: root) }
        let group = ControlGroup(membership: "0::/user/job\n", root: root)
        #expect(group.processorQuota == 3.5)
        #expect(group.memoryLimit == 8 << 30)
        #expect(ControlGroup(membership: "0::/\n", root: root).processorQuota == nil)
        #expect(ControlGroup(membership: "0::/other\n", root: root).memoryLimit == nil)
    }

    @Test func limitsOfVersion1() throws {
        let root = try Self.folder([
            "cpu,cpuacct/docker/a/cpu.cfs_quota_us": "150000", "cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/docker/a/memory.limit_in_bytes": "1073741824",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        ])
        defer { try? FileManager.default.removeItem(atPath: root) }
        let membership = "11:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n3:pids:/docker/a\n"
        let group = ControlGroup(membership: membership, root: root)
        #expect(group.processorQuota == 1.5)
        #expect(group.memoryLimit == 1 << 30)
        #expect(ControlGroup(membership: "", root: root).processorQuota == nil)
    }

    private static func folder(_ files: [String: String]) throws -> String {
        let root = NSTemporaryDirectory() + "groups-\(UUID().uuidString)"
        for (name, text) in files {
            let path = "\(root)/\(name)"
            let folder = URL(filePath: path).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try (text + "\n").write(toFile: path, atomically: false, encoding: .utf8)
        }
        return root
    }
}
