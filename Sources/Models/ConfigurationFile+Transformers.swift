extension ConfigurationFile {
    /// Throws unless `model_type` and `architectures`, where they are written, name a model of this kind.
    func requireTransformersModel(type: String, architectures: [String]) throws {
        guard try text("model_type", default: type) == type else { throw fault("model_type", expected: "'\(type)'") }
        if isAbsent("architectures") { return }
        guard try texts("architectures").contains(where: { $0.map(architectures.contains) ?? false }) else {
            throw fault("architectures", expected: architectures.joined(separator: " or "))
        }
    }
}
