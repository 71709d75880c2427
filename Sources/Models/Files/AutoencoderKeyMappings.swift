public import NeuralNet
import TensorCore

extension AutoencoderKLConfiguration {
    /// How Black Forest Labs' `ae.safetensors` keeps this autoencoder, as the latent diffusion models before it did
    /// (`ldm/modules/diffusionmodules/model.py`): stages counted from the finest in the decoder too, and the attention's
    /// projections as 1 x 1 convolutions.
    public var blackForestKeyMappings: [KeyMapping] {
        let (stages, coarsest) = (blockOutChannels.count, blockOutChannels[blockOutChannels.count - 1])
        var list: [KeyMapping] = []
        func pair(_ source: String, _ name: String, _ shape: [Int]) {
            list.append(KeyMapping("\(source).weight", "\(name).weight", Shape(shape)))
            list.append(KeyMapping("\(source).bias", "\(name).bias", [shape[0]]))
        }
        func convolution(_ source: String, _ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3) {
            pair(source, name, [outputs, inputs, kernel, kernel])
        }
        func resnet(_ source: String, _ name: String, _ inputs: Int, _ outputs: Int) {
            pair("\(source).norm1", "\(name).norm1", [inputs])
            convolution("\(source).conv1", "\(name).conv1", inputs, outputs)
            pair("\(source).norm2", "\(name).norm2", [outputs])
            convolution("\(source).conv2", "\(name).conv2", outputs, outputs)
            if inputs != outputs {
                convolution("\(source).nin_shortcut", "\(name).conv_shortcut", inputs, outputs, kernel: 1)
            }
        }
        func middle(_ half: String) {
            resnet("\(half).mid.block_1", "\(half).mid_block.resnets.0", coarsest, coarsest)
            if midBlockAddAttention {
                let (source, name) = ("\(half).mid.attn_1", "\(half).mid_block.attentions.0")
                pair("\(source).norm", "\(name).group_norm", [coarsest])
                for (from, to) in [("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")] {
                    pair("\(source).\(from)", "\(name).\(to)", [coarsest, coarsest])
                }
            }
            resnet("\(half).mid.block_2", "\(half).mid_block.resnets.1", coarsest, coarsest)
        }

        convolution("encoder.conv_in", "encoder.conv_in", inChannels, blockOutChannels[0])
        for stage in 0..<stages {
            let (source, name) = ("encoder.down.\(stage)", "encoder.down_blocks.\(stage)")
            let (inputs, outputs) = (blockOutChannels[max(stage - 1, 0)], blockOutChannels[stage])
            for block in 0..<layersPerBlock {
                resnet("\(source).block.\(block)", "\(name).resnets.\(block)", block == 0 ? inputs : outputs, outputs)
            }
            if stage < stages - 1 {
                convolution("\(source).downsample.conv", "\(name).downsamplers.0.conv", outputs, outputs)
            }
        }
        middle("encoder")
        pair("encoder.norm_out", "encoder.conv_norm_out", [coarsest])
        convolution("encoder.conv_out", "encoder.conv_out", coarsest, 2 * latentChannels)

        convolution("decoder.conv_in", "decoder.conv_in", latentChannels, coarsest)
        middle("decoder")
        for stage in 0..<stages {
            // diffusers counts from the coarsest.
            let (source, name) = ("decoder.up.\(stage)", "decoder.up_blocks.\(stages - 1 - stage)")
            let (inputs, outputs) = (blockOutChannels[min(stage + 1, stages - 1)], blockOutChannels[stage])
            for block in 0...layersPerBlock {
                resnet("\(source).block.\(block)", "\(name).resnets.\(block)", block == 0 ? inputs : outputs, outputs)
            }
            if stage > 0 { convolution("\(source).upsample.conv", "\(name).upsamplers.0.conv", outputs, outputs) }
        }
        pair("decoder.norm_out", "decoder.conv_norm_out", [blockOutChannels[0]])
        convolution("decoder.conv_out", "decoder.conv_out", blockOutChannels[0], outChannels)
        if useQuantConv {
            convolution("quant_conv", "quant_conv", 2 * latentChannels, 2 * latentChannels, kernel: 1)
        }
        if usePostQuantConv {
            convolution("post_quant_conv", "post_quant_conv", latentChannels, latentChannels, kernel: 1)
        }
        return list
    }
}
