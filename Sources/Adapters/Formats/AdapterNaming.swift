public import NeuralNet
import TensorCore

/// How adapter files name the layers of a model.
public struct AdapterNaming: Sendable, Equatable {
    /// The part of the pipeline that the layers belong to, the first word of diffusers' keys: `transformer`.
    public var component: String

    /// How the model's authors keep its layers: under other names, several in one, with halves exchanged. kohya's and
    /// ComfyUI's files follow them.
    public var keyMappings: [LayerMapping]

    /// The layer that the model's relatives have with other inputs, if there is one.
    public var entrance: Entrance?

    /// A layer of which the models of a family have their own numbers of inputs.
    public struct Entrance: Sendable, Equatable {
        /// The layer: `x_embedder`.
        public var layer: String
        /// How many inputs all of the family have, before those of their own: an adapter of a model that has these alone is
        /// placed on them.
        public var shared: Int
        /// Whose adapters have so many inputs there.
        public var owners: [Int: String]

        /// Describes the entrance of a family of models.
        public init(layer: String, shared: Int, owners: [Int: String]) {
            self.layer = layer
            self.shared = shared
            self.owners = owners
        }
    }

    /// One layer of the model's authors.
    public struct LayerMapping: Sendable, Equatable {
        /// Its name there: `double_blocks.0.img_attn.qkv`.
        public var source: String
        /// The model's layers that it consists of, one after the other along its outputs.
        public var parts: [LayerExtents]
        /// Whether the authors have the two halves of the outputs in the other order.
        public var swapsHalves: Bool

        /// Joins layers under a name.
        public init(source: String, parts: [LayerExtents], swapsHalves: Bool = false) {
            self.source = source
            self.parts = parts
            self.swapsHalves = swapsHalves
        }

        /// Whether the layer stands in a numbered block.
        var isInBlock: Bool { source.split(separator: ".").dropFirst().first.flatMap { Int($0) } != nil }
    }

    /// Names a component as diffusers does; `keyMappings` are those of the model's weights and biases, of which the
    /// matrices are taken.
    public init(
        component: String = "transformer", keyMappings: [KeyMapping] = [], entrance: Entrance? = nil
    ) {
        self.component = component
        self.entrance = entrance
        self.keyMappings = keyMappings.compactMap { mapping in
            guard let source = mapping.source.withoutWeight else { return nil }
            let parts = mapping.parts.compactMap { part in
                part.name.withoutWeight.flatMap { name in
                    part.shape.rank == 2
                        ? LayerExtents(name: name, inputs: part.shape[1], outputs: part.shape[0]) : nil
                }
            }
            guard parts.count == mapping.parts.count, !parts.isEmpty else { return nil }
            return LayerMapping(source: source, parts: parts, swapsHalves: mapping.swapsHalves)
        }
    }

    /// The model's layers, if all of them are arranged.
    public var layers: [LayerExtents] { keyMappings.flatMap(\.parts) }

    /// What may stand before a layer's name in a file, in the order in which they stand.
    private var prefixes: [String] {
        ["base_model.model.", "model.diffusion_model.", "diffusion_model.", "\(component).", "unet."]
    }

    /// A key without what may stand before the layer's name: PEFT's wrapper, the component, ComfyUI's word for it.
    func stripped(_ key: String) -> String {
        var rest = key[...]
        for prefix in prefixes where rest.hasPrefix(prefix) { rest = rest.dropFirst(prefix.count) }
        return String(rest)
    }

    /// What stands before a layer's name whose dots are underscores: kohya's, OneTrainer's, SimpleTuner's.
    static let flatPrefixes = ["lora_unet_", "lora_transformer_", "lycoris_"]
}

/// A linear layer of a model, by its name and extents.
public struct LayerExtents: Sendable, Equatable {
    /// The full name.
    public var name: String
    /// The extent of the input's last axis.
    public var inputs: Int
    /// The extent of the output's last axis.
    public var outputs: Int

    /// Joins a name and extents.
    public init(name: String, inputs: Int, outputs: Int) {
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
    }
}

extension String {
    /// The layer of a weight's name.
    fileprivate var withoutWeight: String? { hasSuffix(".weight") ? String(dropLast(".weight".count)) : nil }
}

extension Module {
    /// The model's linear layers.
    var layerExtents: [LayerExtents] {
        linearLayers.map {
            LayerExtents(name: $0.name, inputs: $0.linear.inputDimensions, outputs: $0.linear.outputDimensions)
        }
    }
}
