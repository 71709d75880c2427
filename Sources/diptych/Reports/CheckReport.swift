import DiptychData
import TensorIO

/// What `diptych data check` finds, for programs; `Documentation/JSON.md` lists the keys.
struct CheckReport: Encodable {
    /// A dataset, or a cache of encoded samples. A key that does not apply is absent.
    struct Dataset: Encodable {
        var path: String
        var kind: Kind
        var pairs: Int
        /// Bytes of pictures, or of a cache's files.
        var bytes: Int
        /// Prompts of a cache.
        var prompts: Int?
        var targets: Int?
        var masks: Int?
        var sessions: Int?
        /// How many pairs have each task, and how many sources each size.
        var tasks: [String: Int]?
        var sizes: [String: Int]?
        var notes: [String]?
    }

    enum Kind: String, Encodable { case dataset, cache }

    struct Fault: Encodable {
        var path: String
        var key: String?
        var expected: String
        var found: String
        var nearest: String?

        init(_ fault: FileError) {
            (path, key, nearest) = (fault.path, fault.key, fault.nearest)
            (expected, found) = (fault.expected, fault.found)
        }
    }

    var datasets: [Dataset]
    var faults: [Fault]
}

extension CheckReport.Dataset {
    init(_ path: String, _ check: DatasetCheck, isEvaluation: Bool) {
        self.init(path: path, kind: .dataset, pairs: check.pairCount, bytes: check.byteCount)
        if isEvaluation { (targets, masks, sessions) = (check.targetCount, check.maskCount, check.sessionCount) }
        tasks = Dictionary(check.tasks.map { ($0.name, $0.count) }, uniquingKeysWith: +)
        sizes = Dictionary(check.sizes.map { ($0.name, $0.count) }, uniquingKeysWith: +)
        notes = check.notes
    }

    init(_ path: String, _ check: SampleCacheCheck) {
        self.init(path: path, kind: .cache, pairs: check.pairCount, bytes: check.byteCount, prompts: check.textCount)
    }
}
