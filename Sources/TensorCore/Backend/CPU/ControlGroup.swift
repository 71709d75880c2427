import Foundation

/// The limits of the control groups that a process is in, version 2 or 1.
public struct ControlGroup: Sendable {
    /// The folders to look at, the process's own first, then those of the groups around it.
    private let folders: [String]

    /// The groups of this process.
    public static let current = ControlGroup(
        membership: (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? "", root: "/sys/fs/cgroup")

    /// The groups that a text such as `/proc/self/cgroup` names, below the folder where they are mounted.
    public init(membership: String, root: String) {
        var folders: [String] = []
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            let mounts: [String] =
                controllers.isEmpty
                ? [root]
                : controllers.contains("cpu") || controllers.contains("memory")
                    ? [root + "/" + fields[1]] + controllers.map { root + "/" + $0 } : []
            for mount in mounts {
                var path = fields[2].split(separator: "/").map(String.init)
                while true {
                    folders.append(([mount] + path).joined(separator: "/"))
                    if path.isEmpty { break }
                    path.removeLast()
                }
            }
        }
        self.folders = folders
    }

    /// Processors that the tightest quota amounts to; nil where there is none.
    public var processorQuota: Double? {
        folders.compactMap { folder -> Double? in
            if let words = words(folder + "/cpu.max"), words.count == 2, let quota = Double(words[0]),
                let period = Double(words[1])
            {
                return quota > 0 && period > 0 ? quota / period : nil
            }
            guard let quota = words(folder + "/cpu.cfs_quota_us")?.first.flatMap({ Double($0) }), quota > 0,
                let period = words(folder + "/cpu.cfs_period_us")?.first.flatMap({ Double($0) }), period > 0
            else { return nil }
            return quota / period
        }.min()
    }

    /// Bytes of memory that the tightest limit allows; nil where there is none.
    public var memoryLimit: Int? {
        folders.compactMap { folder -> Int? in
            for name in ["memory.max", "memory.limit_in_bytes"] {
                // Version 1 says "no limit" by a number near 2^63.
                if let limit = words("\(folder)/\(name)")?.first.flatMap({ Int($0) }), limit < 1 << 60 { return limit }
            }
            return nil
        }.min()
    }

    private func words(_ path: String) -> [Substring]? {
        (try? String(contentsOfFile: path, encoding: .utf8))?.split(whereSeparator: \.isWhitespace)
    }
}
