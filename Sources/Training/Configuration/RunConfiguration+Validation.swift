import DiptychData
import Foundation
import InContextEdit
import Models
import TensorIO

extension RunConfiguration {
    /// Checks every bound and the keys against each other; the files that it names are left to ``validateFiles(source:isResuming:)``.
    ///
    /// Throws ``ConfigurationError`` with all faults. A configuration that was loaded has passed already.
    public func validate(source: String = "configuration") throws {
        let faults = valueFaults()
        guard faults.isEmpty else {
            throw ConfigurationError(faults.map { .init(source, key: $0.key, message: $0.message) })
        }
    }

    /// Checks that the pipeline and the data are there and that the run's folder can be made.
    ///
    /// Throws ``ConfigurationError`` with all faults, in which `source` names the file that the configuration came from. A run
    /// that goes on does not read again what it began from.
    public func validateFiles(source: String = "configuration", isResuming: Bool = false) throws {
        var faults: [ConfigurationError.Fault] = []
        func check(_ key: String, _ folder: String, holds file: String, _ what: String) {
            let found: String
            switch kind(of: folder) {
            case nil: found = "no such folder: \(folder)"
            case false?: found = "a file: \(folder)"
            case true?:
                guard kind(of: folder + "/" + file) != false else { return }
                found = "a folder without it: \(folder)"
            }
            faults.append(.init(source, key: key, message: "expected \(what) with \(file), found \(found)"))
        }
        if base.parts.namesAllModels {
            if kind(of: base.path + "/tokenizer") != true {
                let expected = "expected a folder with CLIP's tokenizer in 'tokenizer'"
                faults.append(.init(source, key: "base.path", message: "\(expected), found none: \(base.path)"))
            }
        } else {
            check("base.path", base.path, holds: "model_index.json", "a pipeline folder")
        }
        for (key, path) in [("transformer", base.transformer), ("vae", base.vae), ("clip", base.clip), ("t5", base.t5)]
        {
            if let path, kind(of: path) == nil {
                faults.append(
                    .init(source, key: "base.\(key)", message: "expected a model's file, found no such file: \(path)"))
            }
        }
        if let start = adapter.startFrom, kind(of: start) == nil, !isResuming {
            let expected = "expected an adapter's file, a checkpoint or a run's folder"
            faults.append(
                .init(source, key: "adapter.start_from", message: "\(expected), found no such file: \(start)"))
        }
        for (number, path) in datasetPaths.enumerated() {
            guard let fault = PairDataset.absence(at: path, reading: reading(ofDataset: number)) else { continue }
            let message = "expected \(fault.expected), found \(fault.found): \(path)"
            faults.append(.init(source, key: number == 0 ? "data.path" : "data.also", message: message))
        }
        var path = output.folder
        while kind(of: path) == nil, path.contains("/"), path != "/" {
            path = (path as NSString).deletingLastPathComponent
        }
        if kind(of: path) == false {
            faults.append(
                .init(source, key: "output.folder", message: "expected a folder or a new name, found a file: \(path)"))
        } else if !path.isEmpty, kind(of: path) != nil, !FileManager.default.isWritableFile(atPath: path) {
            faults.append(
                .init(source, key: "output.folder", message: "expected a folder that can be written, found \(path)"))
        }
        guard faults.isEmpty else { throw ConfigurationError(faults) }
    }

    /// Values out of bounds and values that contradict each other.
    func valueFaults() -> [(key: String, message: String)] {
        var faults = Self.schema.compactMap { field in
            has(field.key) ? field.fault(self).map { (key: field.key, message: $0) } : nil
        }
        func report(_ key: String, _ expected: String, _ found: String) {
            // A value that is out of its own bounds needs no second line.
            if !faults.contains(where: { $0.key == key }) {
                faults.append((key, "expected \(expected), found \(found)"))
            }
        }
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
        if optimizer.name == .adamw, optimizer.learningRate > 0.1 {
            report(
                "optimizer.learning_rate", "at most 0.1 with adamw, such as 1e-4 (1 is usual with prodigy)",
                numberText(optimizer.learningRate))
        }
        if schedule.warmupSteps >= training.steps, schedule.warmupSteps > 0 {
            report(
                "schedule.warmup_steps", "fewer steps than training.steps (\(training.steps))",
                "\(schedule.warmupSteps)")
        }
        if ["config.yaml", "checkpoints"].contains(output.metrics) {
            report("output.metrics", "another name than config.yaml and checkpoints, which a run needs", output.metrics)
        }
        return faults
    }

    /// `true` for a folder, `false` for anything else, `nil` for nothing.
    private func kind(of path: String) -> Bool? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
        return isFolder.boolValue
    }
}
