/// The file formats that ``Image`` writes; it reads ``StoredImageFormat``.
public enum ImageFormat: Sendable, Equatable {
    /// Portable Network Graphics, lossless.
    case png
    /// JPEG; `quality` 1 … 100 matters when writing only.
    case jpeg(quality: Int = 95)

    /// The format that a file name's extension asks for. Throws ``FileError`` for other extensions.
    init(extensionOf path: String, jpegQuality: Int) throws {
        let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        let suffix = name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
        switch suffix {
        case "png": self = .png
        case "jpg", "jpeg": self = .jpeg(quality: jpegQuality)
        default:
            throw FileError(
                path, expected: "a name that ends in .png, .jpg or .jpeg",
                found: suffix.isEmpty ? "no extension" : ".\(suffix)",
                nearest: nearestName(to: suffix, among: ["png", "jpg", "jpeg"]).map { ".\($0)" })
        }
    }
}
