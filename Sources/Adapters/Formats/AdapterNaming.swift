/// How an adapter file's keys name the layers of a model.
public struct AdapterNaming: Sendable, Equatable {
    /// The part of the pipeline that the layers belong to, the first word of every key: `transformer`. Written always,
    /// optional when reading.
    public var component: String

    /// Names a component as diffusers does.
    public init(component: String = "transformer") { self.component = component }

    /// A key without what may stand before the layer's name: PEFT's wrapper, the component.
    func stripped(_ key: String) -> Substring {
        var rest = key[...]
        for prefix in ["base_model.model.", "\(component)."] where rest.hasPrefix(prefix) {
            rest = rest.dropFirst(prefix.count)
        }
        return rest
    }
}
