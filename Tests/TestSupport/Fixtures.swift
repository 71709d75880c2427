public import Foundation

/// Where the reference values lie; `Tests/Fixtures/README.md` says how they were made.
public enum Fixtures {
    /// The folder `Tests/Fixtures` of this checkout.
    public static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    /// The path of a file or folder in it.
    public static func path(_ name: String) -> String { folder.appending(path: name).path }

    /// A fresh folder for what a test writes; the caller removes it.
    public static func scratchFolder() throws -> URL {
        let url = FileManager.default.temporaryDirectory.appending(path: "diptych-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }
}
