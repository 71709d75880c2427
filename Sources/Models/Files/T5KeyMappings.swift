public import NeuralNet
import TensorCore

extension T5Configuration {
    /// How llama.cpp's GGUF files keep this encoder (`gguf-py/gguf/tensor_mapping.py`).
    public var llamaKeyMappings: [KeyMapping] { llamaKeyMappings(tokenTable: Self.tokenTables[0]) }

    /// What transformers' files call the table of token vectors; some have it twice.
    static let tokenTables = ["shared.weight", "encoder.embed_tokens.weight"]

    /// The same for a model whose table of token vectors has another name.
    func llamaKeyMappings(tokenTable: String) -> [KeyMapping] {
        let inner = numHeads * dKv
        var list = [
            KeyMapping("token_embd.weight", tokenTable, [vocabSize, dModel]),
            KeyMapping("enc.output_norm.weight", "encoder.final_layer_norm.weight", [dModel]),
        ]
        for index in 0..<numLayers {
            let (source, block) = ("enc.blk.\(index)", "encoder.block.\(index)")
            let (attention, feedForward) = ("\(block).layer.0.SelfAttention", "\(block).layer.1.DenseReluDense")
            list += [
                KeyMapping("\(source).attn_norm.weight", "\(block).layer.0.layer_norm.weight", [dModel]),
                KeyMapping("\(source).attn_q.weight", "\(attention).q.weight", [inner, dModel]),
                KeyMapping("\(source).attn_k.weight", "\(attention).k.weight", [inner, dModel]),
                KeyMapping("\(source).attn_v.weight", "\(attention).v.weight", [inner, dModel]),
                KeyMapping("\(source).attn_o.weight", "\(attention).o.weight", [dModel, inner]),
                KeyMapping("\(source).ffn_norm.weight", "\(block).layer.1.layer_norm.weight", [dModel]),
                KeyMapping("\(source).ffn_gate.weight", "\(feedForward).wi_0.weight", [dFf, dModel]),
                KeyMapping("\(source).ffn_up.weight", "\(feedForward).wi_1.weight", [dFf, dModel]),
                KeyMapping("\(source).ffn_down.weight", "\(feedForward).wo.weight", [dModel, dFf]),
            ]
        }
        if numLayers > 0 {
            list.append(
                KeyMapping(
                    "enc.blk.0.attn_rel_b.weight",
                    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                    [relativeAttentionNumBuckets, numHeads]))
        }
        return list
    }

    /// What a llama.cpp file of the whole T5 holds besides the encoder.
    static func isDecoderTensor(_ name: String) -> Bool { name.hasPrefix("dec.") || name == "output.weight" }
}
