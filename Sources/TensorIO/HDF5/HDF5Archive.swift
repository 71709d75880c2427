public import TensorCore

/// All tensors of an HDF5 file by their places in it, such as `adapter/lora_A`.
public struct HDF5Archive: TensorArchive, Sendable {
    /// Where the file lies.
    public let path: String
    /// The names of all tensors, groups in the order of their members.
    public let names: [String]
    private let root: HDF5Group
    private let infos: [String: TensorInfo]

    /// Opens a file and walks through its groups. Throws ``FileError`` when it is damaged, or nested in itself.
    public init(path: String) throws {
        self.path = path
        root = try HDF5File(reading: path).root
        var found: [(name: String, info: TensorInfo)] = []
        var visited = 0
        try Self.walk(root, prefix: "", depth: 0, &found, &visited)
        names = found.map(\.name)
        infos = Dictionary(found.map { ($0.name, $0.info) }, uniquingKeysWith: { first, _ in first })
    }

    /// Type and shape of a tensor; nil when there is none of that name.
    public func info(_ name: String) -> TensorInfo? { infos[name] }

    /// Reads a tensor. Throws ``FileError`` when there is none of that name or the file is damaged.
    public func tensor(_ name: String) throws -> Tensor { try root.tensor(name) }

    private static func walk(
        _ group: HDF5Group, prefix: String, depth: Int, _ found: inout [(name: String, info: TensorInfo)],
        _ visited: inout Int
    ) throws {
        // Hard links can make a group its own member, or a member of many: a way through all would not end.
        guard depth < 64 else { throw group.fault(expected: "groups at most 64 deep", found: "deeper ones") }
        for member in try group.members {
            visited += 1
            guard visited <= max(4096, group.store.fileByteCount / 8) else {
                throw group.fault(expected: "no more members than fit into the file", found: "more")
            }
            switch try group.kind(of: member) {
            case .group:
                try walk(group.group(member), prefix: prefix + member + "/", depth: depth + 1, &found, &visited)
            case .tensor(let info): found.append((prefix + member, info))
            case .strings, .other: break
            }
        }
    }
}
