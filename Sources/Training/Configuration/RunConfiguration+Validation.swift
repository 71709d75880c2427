import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO

extension RunConfiguration {
    /// Checks that the pipeline and the data are there and that the run's folder can be made.
    ///
    /// Throws ``ConfigurationError`` with all faults, in which `source` names the file that the configuration came from. A run
    /// that goes on does not read again what it began from.
    public func validateFiles(source: String = "configuration", isResuming: Bool) throws {
        var faults: [ConfigurationError.Fault] = []
        func check(_ key: String, _ folder: String, holds file: String, _ what: String) {
            let found: String
            switch fileKind(of: folder) {
            case nil: found = "no such folder: \(folder)"
            case false?: found = "a file: \(folder)"
            case true?:
                guard fileKind(of: folder + "/" + file) != false else { return }
                found = "a folder without it: \(folder)"
            }
            faults.append(.init(source, key: key, message: "expected \(what) with \(file), found \(found)"))
        }
        if base.parts.namesAllModels {
            if fileKind(of: base.path + "/tokenizer") != true {
                let expected = "expected a folder with CLIP's tokenizer in 'tokenizer'"
                faults.append(.init(source, key: "base.path", message: "\(expected), found none: \(base.path)"))
            }
        } else {
            check("base.path", base.path, holds: "model_index.json", "a pipeline folder")
        }
        for (key, path) in [("transformer", base.transformer), ("vae", base.vae), ("clip", base.clip), ("t5", base.t5)]
        {
            if let path, fileKind(of: path) == nil {
                faults.append(
                    .init(source, key: "base.\(key)", message: "expected a model's file, found no such file: \(path)"))
            }
        }
        if let start = adapter.startFrom, fileKind(of: start) == nil, !isResuming {
            let expected = "expected an adapter's file, a checkpoint or a run's folder"
            faults.append(
                .init(source, key: "adapter.start_from", message: "\(expected), found no such file: \(start)"))
        }
        for (number, path) in datasetPaths.enumerated() {
            guard let fault = PairDataset.absence(at: path, reading: reading(ofDataset: number)) else { continue }
            let message = "expected \(fault.expected), found \(fault.found): \(path)"
            faults.append(.init(source, key: number == 0 ? "data.path" : "data.also", message: message))
        }
        faults += outputFaults(source: source)
        guard faults.isEmpty else { throw ConfigurationError(faults) }
    }

    /// Values that contradict each other.
    var contradictions: [(key: String, expected: String, found: String)] {
        var faults: [(key: String, expected: String, found: String)] = []
        func report(_ key: String, _ expected: String, _ found: String) { faults.append((key, expected, found)) }
        let side = DiptychGeometry.tokenSide
        let rows = DiptychGeometry.maximumTokenCount * side / 2 / max(1, data.panelWidth) * side
        if data.panelHeight > rows {
            report(
                "data.panel_height", "at most \(rows) beside data.panel_width \(data.panelWidth)", "\(data.panelHeight)"
            )
        }
        for fault in dataFaults() { report(fault.key, fault.expected, fault.found) }
        let framework = base.framework.framework
        if !framework.promptForms.contains(data.promptForm) {
            report(
                "data.prompt_form",
                framework.promptForms.map(\.rawValue).joined(separator: " or ")
                    + " with base.framework \(framework.name)",
                data.promptForm.rawValue)
        }
        if base.framework == .kontext, data.panelLayout != .beside {
            report(
                "data.panel_layout", "no panel layout with base.framework kontext, whose panels share no canvas",
                data.panelLayout.rawValue)
        }
        for fault in AdapterSection.all.flatMap({ $0.faults(self) }) { report(fault.key, fault.expected, fault.found) }
        if AdapterSection.all.allSatisfy({ !$0.section.isPresent(self) }) {
            report("adapter", "at least one of \(AdapterSection.names)", "none")
        }
        faults += loopContradictions
        return faults
    }

    /// Datasets and caches that may have moved, but not changed.
    public func conflicts(with earlier: RunConfiguration) -> [(key: String, message: String)] {
        var conflicts: [(key: String, message: String)] = []
        // A dataset may have moved, but what is chosen of it stays.
        func choices(_ run: RunConfiguration) -> [Dataset] {
            run.data.also.map { dataset in
                var dataset = dataset
                dataset.path = ""
                return dataset
            }
        }
        if choices(self) != choices(earlier) {
            conflicts.append(
                ("data.also", "expected the datasets that the run began with, read alike, found others"))
        }
        // A cache that rounds is another source than none.
        if (data.cache == nil) != (earlier.data.cache == nil), data.cachePrecision != .float32 {
            conflicts.append(
                (
                    "data.cache",
                    "expected \(earlier.data.cache ?? "no cache") as before, since a cache rounds "
                        + "(data.cache_precision), found \(data.cache ?? "none")"
                ))
        }
        return conflicts
    }
}
