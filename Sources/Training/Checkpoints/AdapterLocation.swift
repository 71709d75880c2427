import Foundation

/// What a path to an adapter means.
public enum AdapterLocation {
    /// The safetensors file: the path itself, or the one that PEFT keeps in a folder; nil for a checkpoint or a run.
    public static func file(_ path: String) -> String? {
        if path.hasSuffix(".safetensors") { return path }
        let inside = path + "/adapter_model.safetensors"
        return FileManager.default.fileExists(atPath: inside) ? inside : nil
    }
}
