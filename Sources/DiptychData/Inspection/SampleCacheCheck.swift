import Foundation
public import TensorCore
public import TensorIO

/// Reads every value of a cache once, so that all checksums are compared, and finds what is damaged or missing.
///
/// Whether the cache still fits its data and encoders only their configuration tells: ``SampleCache`` and
/// ``SampleCacheWriter`` compare that.
public struct SampleCacheCheck: Sendable {
    /// The pairs and prompts that the files list.
    public let pairCount: Int, textCount: Int
    /// The bytes of all files.
    public let byteCount: Int
    /// What is damaged or missing, each with its sample where it is one.
    public let faults: [FileError]

    /// Whether a folder holds a cache, finished or not.
    public static func isCache(_ folder: String) -> Bool {
        ((try? SampleCacheManifest(folder: folder)) ?? nil) != nil
    }

    /// Reads the cache in `folder`; `progress` is told of every file.
    ///
    /// Throws ``FileError`` when it is none.
    public init(folder: String, progress: (WorkProgress) -> Void = { _ in }) throws {
        guard let manifest = try SampleCacheManifest(folder: folder) else {
            throw FileError(folder, expected: "a cache", found: "a folder without \(SampleCacheLayout.manifestName)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted().filter {
            $0.hasSuffix(".h5") && ($0.hasPrefix("pairs-") || $0.hasPrefix("texts-"))
        }
        var (pairs, texts, bytes, faults) = (Set<Int>(), 0, 0, [FileError]())
        var isListed = true
        for (done, name) in names.enumerated() {
            let path = folder + "/" + name
            bytes += (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
            let file = name.hasPrefix("pairs-") ? SampleCacheFile(pairs: path) : SampleCacheFile(texts: path)
            faults += file.faults
            isListed = isListed && file.numbers != nil
            if name.hasPrefix("pairs-") { pairs.formUnion(file.numbers ?? []) } else { texts += file.count }
            progress(WorkProgress("files", done: done + 1, total: names.count))
        }
        // What a file without a readable list holds is not known, and that file is named already.
        if !manifest.finished {
            faults.append(
                FileError(folder, expected: "a finished cache", found: "one that diptych data encode has to finish"))
        } else if isListed {
            let expected = manifest.pairs - manifest.leftOut.count
            if pairs.count != expected || texts != manifest.texts {
                faults.append(
                    FileError(
                        folder, expected: "\(expected) pairs and \(manifest.texts) prompts",
                        found: "\(pairs.count) and \(texts) in \(names.count) files"))
            }
        }
        (pairCount, textCount, byteCount) = (pairs.count, texts, bytes)
        self.faults = faults
    }
}
