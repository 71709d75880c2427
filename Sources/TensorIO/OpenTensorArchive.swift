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
        if path.hasSuffix(".json") { return ScaledArchive.wrapping(try ShardedSafetensors(indexPath: path)) }
        if try GGUFFile.isGGUF(path) { return try GGUFFile(path: path) }
        return ScaledArchive.wrapping(try SafetensorsFile(path: path))
    }
    let members: [String]
    do { members = try FileManager.default.contentsOfDirectory(atPath: path).sorted() } catch {
        throw FileError(path, expected: "a folder that can be read", found: error.localizedDescription)
    }
    for ending in [".safetensors.index.json", ".safetensors", ".gguf"] {
        let candidates = members.filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }
        let usual = ["diffusion_pytorch_model", "model"].map { $0 + ending }
        guard let choice = usual.first(where: candidates.contains) ?? candidates.first else { continue }
        guard candidates.count == 1 || usual.contains(choice) else {
            throw FileError(path, expected: "one file '*\(ending)'", found: candidates.joined(separator: ", "))
        }
        return try openTensorArchive(path + "/" + choice)
    }
    throw FileError(path, expected: "a file '*.safetensors' or '*.gguf'", found: "none in this folder")
}
