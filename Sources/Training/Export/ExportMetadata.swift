public import Adapters
import Foundation
import InContextEdit

/// What a reader of an exported file would want to know about its making: texts for the header of a safetensors file.
public struct ExportMetadata: Sendable {
    /// The texts by their keys.
    public private(set) var header: [String: String]

    /// The key under which a file says how the diptychs lay that it was trained on, in the words of `data.panel_layout`.
    public static let panelLayoutKey = "diptych.arrangement"

    /// Of a run's adapter.
    public init(_ run: RunConfiguration, _ checkpoint: RunCheckpoint) {
        header = [
            "diptych.version": DiptychVersion.current,
            "diptych.base": URL(filePath: run.base.path).lastPathComponent,
            "diptych.framework": run.base.framework.rawValue,
            "diptych.steps": "\(checkpoint.step)",
            "diptych.data": run.datasetPaths.map { URL(filePath: $0).lastPathComponent }.joined(separator: ", "),
            "diptych.seed": "\(run.training.seed)",
        ]
        if let start = run.adapter.startFrom { header["diptych.start_from"] = URL(filePath: start).lastPathComponent }
        if run.base.framework == .fill { header[Self.panelLayoutKey] = run.trainedPanelLayout.rawValue }
        if run.data.promptForm == .inContext {
            header["diptych.trigger"] = PromptForm.trigger(run.trainedPanelLayout == .stacked ? .stacked : .beside)
            if run.trainedPanelLayout == .auto { header["diptych.trigger_stacked"] = PromptForm.trigger(.stacked) }
        }
        for rule in run.adapterConfiguration.rules {
            header["diptych.\(type(of: rule.method).name)"] = rule.method.summary
        }
    }

    /// Of an adapter file: what its own header says of its making, whatever the format says of its tensors.
    public init(_ metadata: [String: String]) {
        let ofLayout = ["format", "lora_adapter_metadata", "diptych_routing"]
        header = metadata.filter { !ofLayout.contains($0.key) && !$0.key.hasPrefix("ss_network_") }
        header["diptych.version"] = DiptychVersion.current
    }

    /// The text of a key; nil where there is none.
    public subscript(key: String) -> String? {
        get { header[key] }
        set { header[key] = newValue }
    }

    /// The header for a format: with the names that kohya's programs and ModelSpec have for the same things, where files of
    /// that format have them.
    public func header(for format: AdapterFormat, output: String) -> [String: String] {
        guard format == .kohya || format == .comfyui else { return header }
        var result = header
        func add(_ key: String, _ value: String?) {
            if let value, result[key] == nil { result[key] = value }
        }
        add("modelspec.sai_model_spec", "1.0.0")
        add("modelspec.architecture", "flux-1/lora")
        add("modelspec.implementation", "https://github.com/black-forest-labs/flux")
        add("modelspec.title", URL(filePath: output).deletingPathExtension().lastPathComponent)
        add("modelspec.trigger_phrase", header["diptych.trigger"])
        if format == .kohya {
            add("ss_base_model_version", "flux1")
            add("ss_sd_model_name", header["diptych.base"])
            add("ss_steps", header["diptych.steps"])
            add("ss_max_train_steps", header["diptych.steps"])
            add("ss_seed", header["diptych.seed"])
        }
        return result
    }
}
