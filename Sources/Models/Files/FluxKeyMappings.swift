public import NeuralNet
import TensorCore

extension FluxConfiguration {
    /// How Black Forest Labs' own files, ComfyUI's and GGUF's keep this model (`flux/model.py` of
    /// github.com/black-forest-labs/flux): projections to queries, keys and values fused, in single-stream blocks with the
    /// feed-forward part's; the final layer's modulation with its shift before its scale.
    public var blackForestKeyMappings: [KeyMapping] {
        let width = innerDimension
        var list: [KeyMapping] = []
        /// Weight and bias of one linear layer in the file, of one or several in the model.
        func linear(_ source: String, _ parts: [(String, Int)], inputs: Int, swapsHalves: Bool = false) {
            list.append(
                KeyMapping(
                    "\(source).weight", parts.map { ("\($0.0).weight", [$0.1, inputs]) }, swapsHalves: swapsHalves))
            list.append(
                KeyMapping("\(source).bias", parts.map { ("\($0.0).bias", [$0.1]) }, swapsHalves: swapsHalves))
        }
        func mlp(_ source: String, _ name: String, inputs: Int) {
            linear("\(source).in_layer", [("time_text_embed.\(name).linear_1", width)], inputs: inputs)
            linear("\(source).out_layer", [("time_text_embed.\(name).linear_2", width)], inputs: width)
        }
        func norms(_ source: String, _ names: [String]) {
            for (kind, name) in zip(["query_norm", "key_norm"], names) {
                list.append(KeyMapping("\(source).\(kind).scale", "\(name).weight", [attentionHeadDim]))
            }
        }
        linear("img_in", [("x_embedder", width)], inputs: inChannels)
        linear("txt_in", [("context_embedder", width)], inputs: jointAttentionDim)
        mlp("time_in", "timestep_embedder", inputs: ConditioningEmbedding.frequencyDimensions)
        mlp("vector_in", "text_embedder", inputs: pooledProjectionDim)
        if guidanceEmbeds {
            mlp("guidance_in", "guidance_embedder", inputs: ConditioningEmbedding.frequencyDimensions)
        }
        for index in 0..<numLayers {
            let block = "transformer_blocks.\(index)"
            for (stream, projections, queryAndKeyNorms, output, modulation, feedForward) in [
                ("img", ["to_q", "to_k", "to_v"], ["norm_q", "norm_k"], "to_out.0", "norm1", "ff"),
                (
                    "txt", ["add_q_proj", "add_k_proj", "add_v_proj"], ["norm_added_q", "norm_added_k"], "to_add_out",
                    "norm1_context", "ff_context"
                ),
            ] {
                let source = "double_blocks.\(index).\(stream)"
                linear("\(source)_mod.lin", [("\(block).\(modulation).linear", 6 * width)], inputs: width)
                linear("\(source)_attn.qkv", projections.map { ("\(block).attn.\($0)", width) }, inputs: width)
                norms("\(source)_attn.norm", queryAndKeyNorms.map { "\(block).attn.\($0)" })
                linear("\(source)_attn.proj", [("\(block).attn.\(output)", width)], inputs: width)
                linear("\(source)_mlp.0", [("\(block).\(feedForward).net.0.proj", 4 * width)], inputs: width)
                linear("\(source)_mlp.2", [("\(block).\(feedForward).net.2", width)], inputs: 4 * width)
            }
        }
        for index in 0..<numSingleLayers {
            let (source, block) = ("single_blocks.\(index)", "single_transformer_blocks.\(index)")
            linear("\(source).modulation.lin", [("\(block).norm.linear", 3 * width)], inputs: width)
            let projections = ["to_q", "to_k", "to_v"].map { ("\(block).attn.\($0)", width) }
            linear("\(source).linear1", projections + [("\(block).proj_mlp", 4 * width)], inputs: width)
            linear("\(source).linear2", [("\(block).proj_out", width)], inputs: 5 * width)
            norms("\(source).norm", ["\(block).attn.norm_q", "\(block).attn.norm_k"])
        }
        linear("final_layer.adaLN_modulation.1", [("norm_out.linear", 2 * width)], inputs: width, swapsHalves: true)
        linear("final_layer.linear", [("proj_out", outChannels)], inputs: width)
        return list
    }
}
