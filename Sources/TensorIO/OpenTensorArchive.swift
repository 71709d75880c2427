import Foundation

/// Opens the weights at `path`: a safetensors or GGUF file, which its first bytes tell apart, a
/// `.safetensors.index.json` index, or a folder that holds one of them, as the parts of a diffusers pipeline do.
///
/// In a folder an index goes before a single file, the usual names (`diffusion_pytorch_model`, `model`) before others, and
/// safetensors before GGUF. Scales beside the weights are multiplied in; see ``ScaledArchive``.
/// Throws ``FileError`` when nothing fits, when several files fit equally well, or when the file is malformed.
public func openTensorArchive(_ path: String) throws -> any TensorArchive {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
        throw FileError(
            path, expected: "a safetensors or GGUF file, an index or a folder with one", found: "nothing there")
    }
    guard isFolder.boolValue else {
        if let shard = Shard(path: path) {
            let index = shard.folder + shard.indexName
            throw FileError(
                path,
                expected: FileManager.default.fileExists(atPath: index)
                    ? "the index of the shards, \(shard.indexName), or their folder"
                    : "a model's only file, or the index of its shards (\(shard.indexName), which is not beside it)",
                found: "shard \(shard.number) of \(shard.count)")
        }
        if path.hasSuffix(".json") { return ScaledArchive.wrapping(try ShardedSafetensors(indexPath: path)) }
        if try GGUFFile.isGGUF(path) { return try GGUFFile(path: path) }
        return ScaledArchive.wrapping(try SafetensorsFile(path: path, expected: "a safetensors or GGUF file"))
    }
    let members: [String]
    do { members = try FileManager.default.contentsOfDirectory(atPath: path).sorted() } catch {
        throw FileError(path, expected: "a folder that can be read", found: error.localizedDescription)
    }
    for ending in [".safetensors.index.json", ".safetensors", ".gguf"] {
        let candidates = members.filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }
        let usual = ["diffusion_pytorch_model", "model"].map { $0 + ending }
        guard let choice = usual.first(where: candidates.contains) ?? candidates.first else { continue }
        if ending == ".safetensors", let shard = Shard(path: path + "/" + choice) {
            let there = candidates.count { Shard(path: $0)?.indexName == shard.indexName }
            throw FileError(
                path, expected: "the index of the shards, \(shard.indexName)",
                found: "\(there) of \(shard.count) shards without it")
        }
        guard candidates.count == 1 || usual.contains(choice) else {
            throw FileError(path, expected: "one file '*\(ending)'", found: candidates.joined(separator: ", "))
        }
        return try openTensorArchive(path + "/" + choice)
    }
    throw FileError(path, expected: "a file '*.safetensors' or '*.gguf'", found: "none in this folder")
}

/// A part of a model in several files, told from its name: `model-00001-of-00003.safetensors`.
private struct Shard {
    /// The folder with its slash; empty for a file in the working folder.
    let folder: String
    /// The name of the index that lies beside the shards.
    let indexName: String
    let number: Int, count: Int

    init?(path: String) {
        guard let match = path.wholeMatch(of: /(.*\/)?([^\/]*)-([0-9]{5})-of-([0-9]{5})\.safetensors/),
            let number = Int(match.3), let count = Int(match.4), count > 1
        else { return nil }
        folder = match.1.map(String.init) ?? ""
        indexName = match.2 + ".safetensors.index.json"
        (self.number, self.count) = (number, count)
    }
}
